package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The number of users, and of groups, that a container with a user namespace
// has: by default, at least, and at most. The default is all that 16 bits can
// count, with nobody (65534) among them.
const (
	DefaultIDs = 65536
	minIDs     = 1024
	maxIDs     = 1 << 24
)

// ParseUserNS reads --userns: host, or auto[:size=N] for a user namespace of
// the container's own with N users, whom nobody else on the host is. private
// is another name for auto.
func ParseUserNS(s string) (string, error) {
	_, err := parseUserNS(s)
	return s, err
}

// parseUserNS returns the number of ids; 0 is the host's user namespace.
func parseUserNS(s string) (size uint32, err error) {
	mode, options, _ := strings.Cut(s, ":")
	switch mode {
	case "", "host":
		if options == "" {
			return 0, nil
		}
	case "auto", "private":
		return parseAuto(options)
	}
	return 0, fmt.Errorf("want host or auto[:size=N], not %q", s)
}

func parseAuto(options string) (uint32, error) {
	if options == "" {
		return DefaultIDs, nil
	}
	key, value, _ := strings.Cut(options, "=")
	n, err := strconv.ParseUint(value, 10, 32)
	switch {
	case key != "size":
		return 0, fmt.Errorf("auto has the option size=N only, not %q", options)
	case err != nil || n < minIDs || n > maxIDs:
		return 0, fmt.Errorf("the size must be a number of users between %d and %d, not %q", minIDs, maxIDs, value)
	}
	return uint32(n), nil
}

// UserIDs is how many users a container with a user namespace of its own has,
// and false for one that has the host's. It has been checked by Validate.
func (n Namespaces) UserIDs() (size uint32, own bool) {
	size, _ = parseUserNS(n.User)
	return size, size > 0
}

// validateUserNS refuses what a user namespace of its own cannot have: power
// over namespaces that the host's root owns.
func (c *Config) validateUserNS() error {
	size, err := parseUserNS(c.Namespaces.User)
	if err != nil {
		return fmt.Errorf("--userns: %w", err)
	}
	if size == 0 {
		return nil
	}
	const way = ": leave that out, or say --userns host"
	if c.Privileged {
		return errors.New("--privileged means root of the host, whom a user namespace of its own is to keep out" + way)
	}
	for _, ns := range []struct{ flag, mode string }{
		{"--pid", c.Namespaces.PID}, {"--ipc", c.Namespaces.IPC}, {"--cgroupns", c.Namespaces.Cgroup}, {"--network", c.Mode},
	} {
		if _, joins := Joined(ns.mode); joins || ns.mode == "host" {
			return fmt.Errorf("a container with a user namespace of its own has no rights over namespaces of others, so not with %s %s%s", ns.flag, ns.mode, way)
		}
	}
	return nil
}
