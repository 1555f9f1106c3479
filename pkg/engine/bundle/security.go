package bundle

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/engine/config"
)

// DefaultCapabilities are those docker leaves to root in a container.
var DefaultCapabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
}

// MaskedPaths tell of, or act on, the whole machine; they are hidden.
var MaskedPaths = []string{
	"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
	"/sys/devices/virtual/powercap", "/sys/firmware",
}

// ReadonlyPaths may be read but not changed.
var ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}

// Capabilities applies docker's rules to --cap-add and --cap-drop: dropping
// ALL leaves what is added, adding ALL leaves out what is dropped, otherwise
// the default set loses and gains.
func Capabilities(add, drop []string, all []string) ([]string, error) {
	for _, name := range slices.Concat(add, drop) {
		if name != "ALL" && !slices.Contains(all, name) {
			return nil, fmt.Errorf("this kernel has no capability %s", name)
		}
	}
	base := DefaultCapabilities
	if slices.Contains(drop, "ALL") {
		base = nil
	} else if slices.Contains(add, "ALL") {
		base = all
	}
	if slices.Contains(drop, "ALL") && slices.Contains(add, "ALL") {
		base = all
	}
	var set []string
	for _, name := range all {
		had := slices.Contains(base, name) && !slices.Contains(drop, name)
		if had || slices.Contains(add, name) {
			set = append(set, name)
		}
	}
	return set, nil
}

func capabilities(c *config.Config, last int) ([]string, error) {
	all := config.Capabilities[:min(last+1, len(config.Capabilities))]
	if c.Privileged {
		return all, nil
	}
	return Capabilities(c.CapAdd, c.CapDrop, all)
}

// capabilitySets: root has the set, as the kernel would give it at execve;
// another user has none, and cannot get more than the set from set-uid files.
// Inheritable stays empty: see CVE-2022-24769.
func capabilitySets(caps []string, uid uint32) *specs.LinuxCapabilities {
	if uid != 0 {
		return &specs.LinuxCapabilities{Bounding: caps}
	}
	return &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
}

// deviceRules say which devices may be opened. mknod of any is allowed: a node
// that cannot be opened is harmless, and package managers unpack some.
func deviceRules(in Input) []specs.LinuxDeviceCgroup {
	if in.Config.Privileged {
		return []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}
	rules := []specs.LinuxDeviceCgroup{
		{Allow: false, Access: "rwm"},
		{Allow: true, Type: "c", Access: "m"},
		{Allow: true, Type: "b", Access: "m"},
	}
	char := func(major int64, minor *int64) {
		rules = append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: &major, Minor: minor, Access: "rwm"})
	}
	for _, minor := range []int64{3, 5, 7, 8, 9} { // null, zero, full, random, urandom
		char(1, &minor)
	}
	for _, minor := range []int64{0, 1, 2} { // tty, console, ptmx
		char(5, &minor)
	}
	char(136, nil) // terminals: /dev/pts/*
	for i, d := range in.Devices {
		rules = append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: d.Type, Major: &d.Major, Minor: &d.Minor, Access: in.Config.Devices[i].Permissions})
	}
	return rules
}

// merge lays b's devices over a's.
func merge(a, b []specs.LinuxDevice) []specs.LinuxDevice {
	list := slices.DeleteFunc(slices.Clone(a), func(d specs.LinuxDevice) bool {
		return slices.ContainsFunc(b, func(o specs.LinuxDevice) bool { return o.Path == d.Path })
	})
	return append(list, b...)
}
