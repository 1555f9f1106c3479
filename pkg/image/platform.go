package image

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"minictr/pkg/image/ocispec"
)

// HostPlatform is what containers on this machine run: linux, this CPU.
func HostPlatform() ocispec.Platform {
	p := ocispec.Platform{OS: "linux", Architecture: runtime.GOARCH}
	switch p.Architecture {
	case "arm":
		p.Variant = "v7"
	case "arm64":
		p.Variant = "v8"
	}
	return p
}

// ParsePlatform reads os/arch, os/arch/variant, or arch alone, as in
// --platform linux/arm64. An empty string is the host's platform.
func ParsePlatform(s string) (ocispec.Platform, error) {
	if s == "" {
		return HostPlatform(), nil
	}
	parts := strings.Split(strings.ToLower(s), "/")
	switch {
	case len(parts) == 1 && parts[0] == "linux": // an operating system alone means this machine's processor
		return HostPlatform(), nil
	case len(parts) == 1:
		parts = []string{"linux", parts[0]}
	}
	if len(parts) > 3 || slices.Contains(parts, "") {
		return ocispec.Platform{}, fmt.Errorf("platform %q is not os/architecture or os/architecture/variant", s)
	}
	p := ocispec.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return normalise(p), nil
}

// normalise folds the spellings that uname and other tools use.
func normalise(p ocispec.Platform) ocispec.Platform {
	switch p.Architecture {
	case "x86_64", "x86-64":
		p.Architecture = "amd64"
	case "aarch64", "arm64":
		p.Architecture = "arm64"
		if p.Variant == "" {
			p.Variant = "v8"
		}
	case "armhf", "armel", "arm":
		if p.Architecture == "armel" && p.Variant == "" {
			p.Variant = "v6"
		}
		p.Architecture = "arm"
		if p.Variant == "" {
			p.Variant = "v7"
		}
		p.Variant = "v" + strings.TrimPrefix(p.Variant, "v")
	}
	return p
}

// FormatPlatform is the form --platform takes.
func FormatPlatform(p ocispec.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" && (p.Architecture != "arm64" || p.Variant != "v8") {
		s += "/" + p.Variant
	}
	return s
}

// rank says how well an offer suits: 0 not at all, more is better. A newer ARM
// runs older variants' code; amd64 variants above v1 need CPU features that
// are not looked for here, so those are taken only when named.
func rank(want, offer ocispec.Platform) int {
	want, offer = normalise(want), normalise(offer)
	if want.OS != offer.OS || want.Architecture != offer.Architecture {
		return 0
	}
	if want.Variant == offer.Variant {
		return 100
	}
	switch want.Architecture {
	case "arm":
		if offer.Variant > want.Variant || len(offer.Variant) != 2 {
			return 0
		}
		return 10 + int(offer.Variant[1]-'0')
	case "amd64":
		if (want.Variant == "" || want.Variant == "v1") && (offer.Variant == "" || offer.Variant == "v1") {
			return 99
		}
		if offer.Variant == "" || offer.Variant < want.Variant {
			return 50
		}
	case "arm64":
		if offer.Variant < want.Variant {
			return 50
		}
	default:
		if offer.Variant == "" {
			return 50
		}
	}
	return 0
}

// SelectPlatform picks the manifest of a multi-platform index that suits want
// best, the first of equals. ErrPlatform lists what there is.
func SelectPlatform(manifests []ocispec.Descriptor, want ocispec.Platform) (ocispec.Descriptor, error) {
	best, bestRank := ocispec.Descriptor{}, 0
	var offers []string
	for _, m := range manifests {
		if m.Platform == nil || m.Platform.OS == "unknown" { // build attestations travel this way
			continue
		}
		if offer := FormatPlatform(*m.Platform); !slices.Contains(offers, offer) {
			offers = append(offers, offer)
		}
		if r := rank(want, *m.Platform); r > bestRank {
			best, bestRank = m, r
		}
	}
	if bestRank == 0 && len(offers) == 0 && len(manifests) == 1 {
		return manifests[0], nil // an index around one image of unsaid platform
	}
	if bestRank == 0 {
		return best, fmt.Errorf("%w: wanted %s, there is %s", ErrPlatform, FormatPlatform(want), strings.Join(offers, ", "))
	}
	return best, nil
}
