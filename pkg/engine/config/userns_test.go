package config

import (
	"strings"
	"testing"
)

func TestUserNamespacesAreAskedForByWord(t *testing.T) {
	for s, want := range map[string]uint32{"host": 0, "": 0, "auto": 65536, "private": 65536, "auto:size=1024": 1024, "private:size=100000": 100000} {
		n := Namespaces{User: s}
		if _, err := ParseUserNS(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
		if size, own := n.UserIDs(); size != want || own != (want > 0) {
			t.Errorf("%q means %d users (%v), want %d", s, size, own, want)
		}
	}
	for _, s := range []string{"keep-id", "nomap", "ns:/proc/1/ns/user", "container:x", "host:size=5000", "auto:", "auto:size", "auto:size=", "auto:size=1", "auto:size=-5", "auto:size=99999999999", "auto:uidmapping=0:0:1"} {
		if _, err := ParseUserNS(s); (err == nil) != (s == "auto:") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestAUserNamespaceExcludesTheHostsOthers(t *testing.T) {
	own := Namespaces{User: "auto"}
	for want, change := range map[string]func(*Config){
		"--privileged":          func(c *Config) { c.Privileged = true },
		"--network host":        func(c *Config) { c.Mode = "host" },
		"--network container:x": func(c *Config) { c.Mode = "container:x" },
		"--pid host":            func(c *Config) { c.Namespaces.PID = "host" },
		"--ipc container:x":     func(c *Config) { c.Namespaces.IPC = "container:x" },
		"--cgroupns host":       func(c *Config) { c.Namespaces.Cgroup = "host" },
	} {
		c := Config{Image: "x", Namespaces: own}
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--userns host") {
			t.Errorf("%s: %v", want, err)
		}
		c.Namespaces.User = "host"
		if err := c.Validate(); err != nil {
			t.Errorf("%s with the host's users: %v", want, err)
		}
	}
}
