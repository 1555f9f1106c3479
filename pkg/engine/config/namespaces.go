package config

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// Joined is the container that "container:NAME" names, and whether mode is of
// that form.
func Joined(mode string) (string, bool) { return strings.CutPrefix(mode, "container:") }

// validateNamespaces refuses modes that a namespace does not have.
func (c *Config) validateNamespaces() error {
	n := &c.Namespaces
	for _, ns := range []struct {
		flag, value string
		modes       string // besides "": separated by spaces
		joins       bool
	}{
		{"--pid", n.PID, "host private", true},
		{"--ipc", n.IPC, "host private shareable none", true},
		{"--uts", n.UTS, "host private", false},
		{"--cgroupns", n.Cgroup, "host private", false},
	} {
		other, joins := Joined(ns.value)
		switch {
		case ns.value == "" || contains(ns.modes, ns.value):
		case joins && ns.joins && other != "":
		case joins && ns.joins:
			return fmt.Errorf("%s container: needs the other container's name", ns.flag)
		default:
			modes := strings.ReplaceAll(ns.modes, " ", ", ")
			if ns.joins {
				modes += ", container:NAME"
			}
			return fmt.Errorf("invalid %s %q: want one of %s", ns.flag, ns.value, modes)
		}
	}
	if _, joins := Joined(n.IPC); c.ShmSize != 0 && (joins || n.IPC == "host" || n.IPC == "none") {
		return fmt.Errorf("--ipc %s means no /dev/shm of its own: leave out --shm-size", n.IPC)
	}
	return c.validateSysctls()
}

func contains(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

// ipcSysctls are the settings that belong to an IPC namespace
// (ipc_namespaces(7)); all of net belongs to a network namespace. Any other
// setting is the whole machine's.
const ipcSysctls = `kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced`

// ParseSysctl reads KEY=VALUE into sysctls. A key that is not a namespace's
// own is refused: it would change the host.
func ParseSysctl(sysctls map[string]string, s string) error {
	key, value, ok := strings.Cut(s, "=")
	// Dots and slashes both separate; what comes first decides (sysctl(8)).
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '/' {
		key = strings.NewReplacer("/", ".", ".", "/").Replace(key)
	}
	switch {
	case !ok || key == "" || strings.Contains(key, "..") || strings.Contains(key, "//"):
		return errors.New("want KEY=VALUE")
	case strings.HasPrefix(key, "net."), strings.HasPrefix(key, "fs.mqueue."), contains(ipcSysctls, key):
		sysctls[key] = value
		return nil
	}
	return fmt.Errorf("%s is a setting of the whole machine, not of a container: only net.*, fs.mqueue.* and those of System V IPC are", key)
}

func (c *Config) validateSysctls() error {
	sharesNet := c.Mode == "host" || strings.HasPrefix(c.Mode, "container:")
	for key := range c.Sysctls {
		isNet := strings.HasPrefix(key, "net.")
		switch {
		case isNet && sharesNet:
			return fmt.Errorf("--sysctl %s: the network is not the container's own", key)
		case !isNet && c.Namespaces.IPC == "host":
			return fmt.Errorf("--sysctl %s: the IPC namespace is the host's", key)
		}
	}
	return nil
}

// ParseMAC reads the address of a network interface.
func ParseMAC(s string) (string, error) {
	mac, err := net.ParseMAC(s)
	switch {
	case err != nil || len(mac) != 6:
		return "", fmt.Errorf("invalid MAC address %q: want six bytes such as 02:42:ac:11:00:02", s)
	case mac[0]&1 != 0:
		return "", fmt.Errorf("invalid MAC address %q: it is a group's (the lowest bit of the first byte), not one interface's", s)
	}
	return mac.String(), nil
}
