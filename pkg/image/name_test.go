package image

import (
	"errors"
	"strings"
	"testing"

	"github.com/distribution/reference"
)

const someDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

func TestParseNameFillsInWhatDockerFillsIn(t *testing.T) {
	for in, want := range map[string]struct{ full, familiar, domain, path, tag string }{
		"alpine":                          {"docker.io/library/alpine:latest", "alpine:latest", "docker.io", "library/alpine", "latest"},
		"alpine:3.20":                     {"docker.io/library/alpine:3.20", "alpine:3.20", "docker.io", "library/alpine", "3.20"},
		"library/alpine":                  {"docker.io/library/alpine:latest", "alpine:latest", "docker.io", "library/alpine", "latest"},
		"nginx/unit":                      {"docker.io/nginx/unit:latest", "nginx/unit:latest", "docker.io", "nginx/unit", "latest"},
		"index.docker.io/alpine":          {"docker.io/library/alpine:latest", "alpine:latest", "docker.io", "library/alpine", "latest"},
		"docker.io/library/a/b":           {"docker.io/library/a/b:latest", "library/a/b:latest", "docker.io", "library/a/b", "latest"},
		"localhost/app":                   {"localhost/app:latest", "localhost/app:latest", "localhost", "app", "latest"},
		"localhost:5000/app":              {"localhost:5000/app:latest", "localhost:5000/app:latest", "localhost:5000", "app", "latest"},
		"[::1]:5000/app:1":                {"[::1]:5000/app:1", "[::1]:5000/app:1", "[::1]:5000", "app", "1"},
		"quay.io/a/b/c__d:v1_x":           {"quay.io/a/b/c__d:v1_x", "quay.io/a/b/c__d:v1_x", "quay.io", "a/b/c__d", "v1_x"},
		"Reg/app":                         {"Reg/app:latest", "Reg/app:latest", "Reg", "app", "latest"},
		"alpine@" + someDigest:            {"docker.io/library/alpine@" + someDigest, "alpine@" + someDigest, "docker.io", "library/alpine", ""},
		"r.io:1/x/alpine:3@" + someDigest: {"r.io:1/x/alpine:3@" + someDigest, "r.io:1/x/alpine:3@" + someDigest, "r.io:1", "x/alpine", "3"},
	} {
		n, err := ParseName(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if n.String() != want.full || n.Familiar() != want.familiar || n.Domain != want.domain || n.Path != want.path || n.Tag != want.tag {
			t.Errorf("%s: got %+v, full %s, familiar %s", in, n, n, n.Familiar())
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	for _, in := range badNames {
		if n, err := ParseName(in); !errors.Is(err, ErrName) {
			t.Errorf("%q became %+v (error %v)", in, n, err)
		}
	}
}

var badNames = []string{
	"", ":", "@", "/", "a:", "a@", ":tag", "Alpine", "a b", "alpine:-x", "alpine:.x", "alpine:a:b", "a//b", "a/", "/a",
	"-a", "a-", "a._b", "a___b", "a..b", "alpine@sha256:abc", "alpine@md5:aaaa", "http://host/a", "host.io:port/a", "host.io:/a",
	"alpine:" + strings.Repeat("t", 129), strings.Repeat("a", 256), strings.Repeat("a", 64), "[::1/a", "[x]/a", "-h.io/a", "h-.io/a",
	"a\x00b", "ä", "../etc/passwd", "a@" + strings.ToUpper(someDigest),
}

// The library that defines the grammar is the oracle; it stays out of the
// programs because of what its initialisation costs.
func FuzzParseName(f *testing.F) {
	for _, s := range badNames {
		f.Add(s)
	}
	for _, s := range []string{"alpine", "a/b:c", "localhost:1/a", "h.io/a@" + someDigest, "a.b-c__d---e", "H/a", "h.io/A:1", "[::]/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseName(s)
		ref, refErr := reference.ParseDockerRef(s)
		if pinned, ok := ref.(reference.Digested); ok && pinned.Digest().Algorithm() != "sha256" {
			return // a digest the store does not know
		}
		if (err == nil) != (refErr == nil) {
			t.Fatalf("%q: ours %v, distribution %v", s, err, refErr)
		}
		if err != nil {
			return
		}
		want := ref
		if full, e := reference.ParseNormalizedNamed(s); e == nil && got.Digest != "" {
			want = full // ParseDockerRef drops the tag of a pinned name, we keep it
		}
		if got.String() != want.String() || got.Familiar() != reference.FamiliarString(want) {
			t.Fatalf("%q: ours %s (%s), distribution %s (%s)", s, got, got.Familiar(), want, reference.FamiliarString(want))
		}
		again, err := ParseName(got.Familiar())
		if err != nil || again != got {
			t.Fatalf("%q: familiar form %q parses to %+v, %v", s, got.Familiar(), again, err)
		}
	})
}
