package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ParseEnv reads an -e value. A name alone takes its value from lookup; where
// it has none there, the variable is taken away from what the image sets.
func ParseEnv(s string, lookup func(string) (string, bool)) (string, error) {
	name, _, hasValue := strings.Cut(s, "=")
	if name == "" || strings.IndexByte(s, 0) >= 0 {
		return "", fmt.Errorf("invalid environment variable %q", s)
	}
	if hasValue {
		return s, nil
	}
	if value, ok := lookup(name); ok {
		return name + "=" + value, nil
	}
	return name, nil
}

// ParseEnvFile reads an --env-file: one -e value a line; blank lines and those
// that begin with # are skipped.
func ParseEnvFile(r io.Reader, lookup func(string) (string, bool)) ([]string, error) {
	var env []string
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimLeft(strings.TrimPrefix(lines.Text(), "\ufeff"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(line, "=")
		switch {
		case !utf8.ValidString(line):
			return nil, fmt.Errorf("line %d is not UTF-8: %q", n, line)
		case strings.ContainsAny(name, " \t"):
			return nil, fmt.Errorf("line %d: invalid environment variable %q: white space in its name", n, name)
		}
		v, err := ParseEnv(line, lookup)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if _, set := lookup(name); strings.Contains(line, "=") || set {
			env = append(env, v)
		}
	}
	return env, lines.Err()
}

// ParseLabel reads KEY or KEY=VALUE into labels.
func ParseLabel(labels map[string]string, s string) error {
	key, value, _ := strings.Cut(s, "=")
	if strings.TrimSpace(key) == "" {
		return fmt.Errorf("invalid label %q: the key is empty", s)
	}
	labels[key] = value
	return nil
}

// ParseDomain reads a domain to look for names in; a dot alone is none.
func ParseDomain(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "." {
		return s, nil
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		rest := strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_")
		if label == "" || rest != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return "", fmt.Errorf("invalid domain %q", s)
		}
	}
	return s, nil
}

// ParseExtraHost reads NAME:ADDRESS (or NAME=ADDRESS).
func ParseExtraHost(s string) (string, error) {
	i := strings.IndexAny(s, ":=")
	if i <= 0 || i == len(s)-1 {
		return "", fmt.Errorf("invalid host %q: want NAME:ADDRESS", s)
	}
	name, address := s[:i], strings.Trim(s[i+1:], "[]")
	if address != "host-gateway" && !validAddr(address) {
		return "", fmt.Errorf("invalid host %q: %q is no IP address", s, address)
	}
	return name + ":" + address, nil
}
