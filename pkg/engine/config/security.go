package config

import (
	"fmt"
	"os"
	"strings"
)

// SecurityOption applies one --security-opt value. read gets a seccomp
// profile's text from its path.
func (c *Security) SecurityOption(s string, read func(path string) ([]byte, error)) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		key, value, ok = strings.Cut(s, ":") // docker's old spelling
	}
	switch {
	case key == "no-new-privileges" && (!ok || value == "true"):
		c.NoNewPrivileges = true
	case key == "no-new-privileges" && value == "false":
		c.NoNewPrivileges = false
	case key == "seccomp" && ok:
		return c.seccomp(value, read)
	case key == "apparmor" && ok:
		c.AppArmor = value
	case key == "systempaths" && value == "unconfined":
		c.Unmasked = true
	case key == "label" && value == "disable": // SELinux is not used, so it is off already
	case key == "label" && ok, key == "writable-cgroups":
		return fmt.Errorf("--security-opt %s is not supported yet", key)
	default:
		return fmt.Errorf("invalid --security-opt %q", s)
	}
	return nil
}

func (c *Security) seccomp(value string, read func(string) ([]byte, error)) error {
	if value == "unconfined" || value == "builtin" {
		c.Seccomp = strings.TrimPrefix(value, "builtin")
		return nil
	}
	if read == nil {
		read = os.ReadFile
	}
	profile, err := read(value)
	if err != nil {
		return fmt.Errorf("read the seccomp profile: %w", err)
	}
	c.Seccomp = string(profile)
	return nil
}
