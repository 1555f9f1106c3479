package image

import (
	"errors"
	"fmt"
	"strings"

	"minictr/pkg/image/digest"
)

// What a short name leaves out.
const (
	DefaultDomain = "docker.io"
	DefaultTag    = "latest"

	// Official images live under this path on Docker Hub: nobody types it,
	// the registry wants it.
	officialPrefix = "library/"

	maxPathLen = 255
	maxTagLen  = 128
)

// ErrName marks a string that is no image name.
var ErrName = errors.New("invalid image name")

// Name is an image name with nothing left out: registry, repository in that
// registry, and a tag or a digest (or both, when the user pinned a tag).
//
//	alpine                     docker.io / library/alpine : latest
//	quay.io/org/app:1.2        quay.io / org/app : 1.2
//	localhost:5000/a@sha256:…  localhost:5000 / a @ sha256:…
//
// Names are comparable; the zero Name is no name.
type Name struct {
	Domain string        // host, with its port if it has one
	Path   string        // repository inside the registry
	Tag    string        // empty when only a digest was given
	Digest digest.Digest // empty when only a tag was given
}

// ParseName reads an image name as docker does. The grammar is that of
// github.com/distribution/reference, which the tests hold this function
// against. It is written out here because that library compiles its regular
// expressions at program start: more than half a millisecond that every
// `minictr run` would pay.
func ParseName(s string) (Name, error) {
	n, err := parseName(s)
	if err != nil {
		return Name{}, fmt.Errorf("%w %q: %w", ErrName, s, err)
	}
	return n, nil
}

func parseName(s string) (Name, error) {
	var n Name
	if s == "" {
		return n, errors.New("it is empty")
	}
	if isHex(s) && len(s) == 64 {
		return n, errors.New("64 hex digits are an image ID, not a name")
	}
	rest, dgst, pinned := strings.Cut(s, "@")
	if pinned {
		n.Digest = digest.Digest(dgst)
		if err := n.Digest.Validate(); err != nil {
			return n, err
		}
	}
	// A colon after the last slash starts a tag; one before it, a port.
	if colon := strings.LastIndexByte(rest, ':'); colon > strings.LastIndexByte(rest, '/') {
		rest, n.Tag = rest[:colon], rest[colon+1:]
		if !validTag(n.Tag) {
			return n, fmt.Errorf("tag %q may hold letters, digits, _ . - and at most %d of them", n.Tag, maxTagLen)
		}
	} else if !pinned {
		n.Tag = DefaultTag
	}
	n.Domain, n.Path = splitDomain(rest)
	if !validDomain(n.Domain) {
		return n, fmt.Errorf("registry %q is not a host name", n.Domain)
	}
	return n, checkPath(n.Path)
}

// free says why a user cannot give an image this name, nil if nothing is against
// it. Digests are found, not chosen, and "sha256:4f38…" is the beginning of an ID.
func (n Name) free() error {
	switch {
	case n.Digest != "":
		return fmt.Errorf("%w %q: a digest cannot be chosen", ErrName, n.Familiar())
	case n.FamiliarRepository() == string(digest.SHA256):
		return fmt.Errorf("%w %q: it would look like an image ID", ErrName, n.Familiar())
	}
	return nil
}

// splitDomain tells whether the part before the first slash is a registry: it
// is when it could not be a repository (a dot, a port, an upper-case letter)
// or says localhost.
func splitDomain(s string) (domain, path string) {
	first, rest, found := strings.Cut(s, "/")
	isHost := strings.ContainsAny(first, ".:") || first == "localhost" || strings.ToLower(first) != first
	if !found || !isHost {
		first, rest = DefaultDomain, s
	}
	if first == "index.docker.io" { // Hub's old name
		first = DefaultDomain
	}
	if first == DefaultDomain && !strings.Contains(rest, "/") {
		rest = officialPrefix + rest
	}
	return first, rest
}

func checkPath(path string) error {
	if len(path) > maxPathLen {
		return fmt.Errorf("repository is longer than %d characters", maxPathLen)
	}
	if strings.ToLower(path) != path {
		return errors.New("repository must be lowercase")
	}
	for part := range strings.SplitSeq(path, "/") {
		if !validPathPart(part) {
			return fmt.Errorf("repository part %q may hold lowercase letters and digits, joined by one . or _, two __, or any number of -", part)
		}
	}
	return nil
}

// validPathPart accepts runs of letters and digits with one separator between
// each two of them.
func validPathPart(s string) bool {
	for s != "" {
		run := 0
		for run < len(s) && isLowerAlnum(s[run]) {
			run++
		}
		if run == 0 {
			return false
		}
		if s = s[run:]; s == "" {
			return true
		}
		sep := len(s) - len(strings.TrimLeft(s, "._-"))
		switch joiner := s[:sep]; {
		case joiner == "." || joiner == "_" || joiner == "__":
		case joiner != "" && strings.Trim(joiner, "-") == "":
		default:
			return false
		}
		s = s[sep:]
	}
	return false // empty, or it ended in a separator
}

func validTag(s string) bool {
	if s == "" || len(s) > maxTagLen || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '_' && s[i] != '.' && s[i] != '-' {
			return false
		}
	}
	return true
}

func validDomain(s string) bool {
	host, port := s, ""
	hasPort := false
	if strings.HasPrefix(s, "[") { // IPv6
		inner, after, ok := strings.Cut(s[1:], "]")
		if !ok || inner == "" || strings.Trim(inner, "0123456789abcdefABCDEF:") != "" {
			return false
		}
		if after == "" {
			return true
		}
		port, hasPort = strings.CutPrefix(after, ":")
		return hasPort && isDigits(port)
	}
	if host, port, hasPort = strings.Cut(s, ":"); hasPort && !isDigits(port) {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if !isAlnum(label[i]) && label[i] != '-' {
				return false
			}
		}
	}
	return true
}

func isHex(s string) bool {
	return s != "" && strings.Trim(s, "0123456789abcdef") == ""
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

func isLowerAlnum(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' }
func isAlnum(c byte) bool      { return isLowerAlnum(c) || 'A' <= c && c <= 'Z' }

// IsZero tells whether n is no name at all.
func (n Name) IsZero() bool { return n == Name{} }

// Repository is the name without tag and digest: docker.io/library/alpine.
func (n Name) Repository() string { return n.Domain + "/" + n.Path }

// Reference is what a registry is asked for: the digest when there is one,
// since it names content that cannot change, else the tag.
func (n Name) Reference() string {
	if n.Digest != "" {
		return n.Digest.String()
	}
	return n.Tag
}

// String is the full name: docker.io/library/alpine:latest.
func (n Name) String() string { return n.suffix(n.Repository()) }

// Familiar is the name as people type it: alpine:latest.
func (n Name) Familiar() string { return n.suffix(n.FamiliarRepository()) }

// FamiliarRepository is the repository as people type it, docker's REPOSITORY
// column: alpine, or quay.io/org/app.
func (n Name) FamiliarRepository() string {
	if n.Domain != DefaultDomain {
		return n.Repository()
	}
	if short, ok := strings.CutPrefix(n.Path, officialPrefix); ok && !strings.Contains(short, "/") {
		return short
	}
	return n.Path
}

func (n Name) suffix(s string) string {
	if n.IsZero() {
		return ""
	}
	if n.Tag != "" {
		s += ":" + n.Tag
	}
	if n.Digest != "" {
		s += "@" + n.Digest.String()
	}
	return s
}
