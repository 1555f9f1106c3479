package digest

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	oracle "github.com/opencontainers/go-digest"
)

var (
	hex64  = strings.Repeat("0123456789abcdef", 4)
	sha512 = "sha512:" + hex64 + hex64
)

func TestValidateAgreesWithTheLibrary(t *testing.T) {
	for s, want := range map[string]string{ // what the error says; none if empty
		"sha256:" + hex64:        "",
		FromString("x").String(): "",

		"":                                    `"" is no digest`,
		":":                                   "no digest",
		"sha256":                              "no digest",
		"sha256:":                             "no digest",
		":" + hex64:                           "no digest",
		hex64:                                 "no digest",
		"sha256 " + hex64:                     "no digest",
		"sha256:" + hex64[1:]:                 "64 hex digits after the colon, not 63",
		"sha256:" + hex64 + "0":               "not 65",
		"sha256:" + hex64 + hex64:             "not 128",
		"sha256:" + strings.ToUpper(hex64):    `'A' is not one of 0-9 and a-f`,
		"sha256:" + hex64[1:] + "g":           `'g' is not`,
		"sha256:" + hex64[1:] + "\n":          `'\n' is not`,
		"sha256:" + hex64[2:] + "é":           `'é' is not`,
		"sha256:" + hex64[1:] + "\xff":        "is not",
		"sha256:" + hex64[7:] + "../../x":     `'.' is not`,
		"sha256::" + hex64[1:]:                `':' is not`,
		"sha256:sha256:" + hex64:              "not 71",
		" sha256:" + hex64:                    `" sha256" is not supported`,
		"SHA256:" + hex64:                     `"SHA256" is not supported`,
		"md5:d41d8cd98f00b204e9800998ecf8427": `"md5" is not supported, only sha256 is`,
		"sha256+b64:LCa0a2j_xo_5m0U8":         `"sha256+b64" is not supported`,
		"multihash+base58:QmRZxt2b1FVZPNqd":   "not supported",
		"https://example.com":                 "not supported",
		strings.Repeat("x", 1<<20) + ":x":     "not supported",
	} {
		err, lib := Digest(s).Validate(), oracle.Digest(s).Validate()
		if (err == nil) != (lib == nil) {
			t.Errorf("%.100q: %v, the library says %v", s, err, lib)
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.100q: %v, want %q", s, err, want)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("%.100q: an error of %d bytes", s, len(err.Error()))
		}
		if errors.Is(lib, oracle.ErrDigestInvalidLength) && !strings.Contains(err.Error(), "characters") {
			t.Errorf("%.100q: %v, the library says %v", s, err, lib)
		}
	}
}

// TestOnlySHA256 holds where we are stricter: a program that has the other
// hashes in it, for TLS, would have the library let them pass.
func TestOnlySHA256(t *testing.T) {
	for _, s := range []string{sha512, "sha384:" + hex64 + hex64[:32]} {
		if err := Digest(s).Validate(); err == nil || !strings.Contains(err.Error(), "is not supported, only sha256 is") {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestDigestsAreTheLibrarys(t *testing.T) {
	for _, s := range []string{"", "a", "digest\x00\n", strings.Repeat("long ", 1000)} {
		want := oracle.FromString(s)
		h := sha256.New()
		h.Write([]byte(s))
		for how, got := range map[string]Digest{
			"FromString":           FromString(s),
			"FromBytes":            FromBytes([]byte(s)),
			"NewDigest":            NewDigest(SHA256, h),
			"NewDigestFromEncoded": NewDigestFromEncoded(SHA256, want.Encoded()),
		} {
			if got.String() != want.String() || got.Encoded() != want.Encoded() || got.Validate() != nil {
				t.Errorf("%s(%.10q): %s, want %s", how, s, got, want)
			}
		}
	}
	if string(SHA256) != string(oracle.SHA256) {
		t.Error(SHA256)
	}
}

func TestEncodedAgreesWithTheLibrary(t *testing.T) {
	panics := func(f func() string) (s string, panicked bool) {
		defer func() { panicked = recover() != nil }()
		return f(), false
	}
	for _, s := range []string{"", "sha256", ":", "a:", ":b", "a:b", "a:b:c", sha512} {
		got, p := panics(Digest(s).Encoded)
		want, libp := panics(oracle.Digest(s).Encoded)
		if got != want || p != libp {
			t.Errorf("%q: %q (panic: %v), the library says %q (%v)", s, got, p, want, libp)
		}
	}
}
