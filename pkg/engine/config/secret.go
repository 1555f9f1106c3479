package config

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"minictr/pkg/secret"
)

// Secret is one that the container gets to see.
type Secret struct {
	Name   string `json:"name"`
	Target string `json:"target"` // below /run/secrets, or absolute
	UID    uint32 `json:"uid,omitempty"`
	GID    uint32 `json:"gid,omitempty"`
	Mode   uint32 `json:"mode"` // permissions
}

// ParseSecret reads a --secret value: NAME, or source=NAME, and after commas
// target=, uid=, gid= and mode= (octal; 0444).
func ParseSecret(s string) (Secret, error) {
	v := Secret{Mode: 0o444}
	fields, err := splitCSV(s)
	for i, f := range fields {
		key, value, ok := strings.Cut(f, "=")
		switch {
		case err != nil:
		case !ok && i == 0:
			v.Name = f
		case !ok:
			err = fmt.Errorf("%q is not KEY=VALUE", f)
		default:
			err = v.field(strings.ToLower(key), value)
		}
	}
	if err == nil {
		err = secret.CheckName(v.Name)
	}
	if v.Target == "" {
		v.Target = v.Name
	}
	v.Target = path.Clean(v.Target)
	if err == nil && (!path.IsAbs(v.Target) && !filepath.IsLocal(v.Target) || v.Target == "." || v.Target == "/") {
		err = fmt.Errorf("target %q names no file in the container", v.Target)
	}
	if err != nil {
		return v, fmt.Errorf("invalid secret %q: %w", s, err)
	}
	return v, nil
}

func (v *Secret) field(key, value string) (err error) {
	id := func(dst *uint32) error {
		n, err := strconv.ParseUint(value, 10, 31)
		*dst = uint32(n)
		if err != nil {
			return fmt.Errorf("%s=%s is no number of a user or group", key, value)
		}
		return nil
	}
	switch key {
	case "source", "src":
		v.Name = value
	case "target", "dst", "destination":
		v.Target = value
	case "uid":
		return id(&v.UID)
	case "gid":
		return id(&v.GID)
	case "mode":
		mode, err := strconv.ParseUint(value, 8, 12)
		if err != nil {
			return fmt.Errorf("mode=%s is no octal mode", value)
		}
		v.Mode = uint32(mode)
	case "type":
		if value != "mount" {
			return errors.New("type=env is not supported: everybody can see a program's environment; read the file")
		}
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}

func (c *Config) validateSecrets() error {
	targets := make(map[string]bool)
	for _, s := range c.Secrets {
		target := s.Target
		if !path.IsAbs(target) {
			target = path.Join("/run/secrets", target)
		}
		if targets[target] {
			return fmt.Errorf("two secrets want the same place in the container: %s", target)
		}
		targets[target] = true
	}
	return nil
}
