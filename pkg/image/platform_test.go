package image

import (
	"testing"

	"minictr/pkg/image/ocispec"
)

func TestPlatformsArePickedLikeAVariantAwareClientDoes(t *testing.T) {
	offers := func(list ...string) (descs []ocispec.Descriptor) {
		for _, s := range list {
			p, err := ParsePlatform(s)
			if err != nil {
				t.Fatal(err)
			}
			descs = append(descs, ocispec.Descriptor{MediaType: s, Platform: &p})
		}
		return append(descs, ocispec.Descriptor{MediaType: "attestation", Platform: &ocispec.Platform{OS: "unknown", Architecture: "unknown"}})
	}
	for _, tc := range []struct {
		want   string
		offers []string
		picked string // empty: none
	}{
		{"linux/amd64", []string{"linux/arm64", "linux/amd64", "windows/amd64"}, "linux/amd64"},
		{"linux/x86_64", []string{"linux/amd64"}, "linux/amd64"},
		{"linux/amd64", []string{"linux/amd64/v3", "linux/amd64"}, "linux/amd64"},
		{"linux/amd64", []string{"linux/amd64/v3"}, ""},
		{"linux/amd64/v3", []string{"linux/amd64", "linux/amd64/v3"}, "linux/amd64/v3"},
		{"linux/amd64/v3", []string{"linux/amd64"}, "linux/amd64"},
		{"linux/arm64", []string{"linux/arm/v7", "linux/arm64/v8"}, "linux/arm64/v8"},
		{"linux/arm64/v8", []string{"linux/aarch64"}, "linux/aarch64"},
		{"linux/arm", []string{"linux/arm/v5", "linux/arm/v7", "linux/arm/v6"}, "linux/arm/v7"},
		{"linux/arm/v6", []string{"linux/arm/v5", "linux/arm/v7", "linux/arm/v6"}, "linux/arm/v6"},
		{"linux/arm/v6", []string{"linux/arm/v7"}, ""},
		{"linux/s390x", []string{"linux/s390x", "linux/amd64"}, "linux/s390x"},
		{"linux/s390x", []string{"linux/amd64"}, ""},
	} {
		want, err := ParsePlatform(tc.want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := SelectPlatform(offers(tc.offers...), want)
		if got.MediaType != tc.picked || (err == nil) != (tc.picked != "") {
			t.Errorf("%s of %v: %q, %v; want %q", tc.want, tc.offers, got.MediaType, err, tc.picked)
		}
	}
	for _, bad := range []string{"/", "linux/", "linux//v7", "a/b/c/d"} {
		if p, err := ParsePlatform(bad); err == nil {
			t.Errorf("%q is platform %+v", bad, p)
		}
	}
	if p, err := ParsePlatform(""); err != nil || p.Architecture != HostPlatform().Architecture {
		t.Errorf("the host is %+v, %v", p, err)
	}
}
