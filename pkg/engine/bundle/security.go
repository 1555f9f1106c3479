package bundle

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/capability"
)

// MaskedPaths tell of, or act on, the whole machine; they are hidden.
var MaskedPaths = []string{
	"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
	"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
	"/sys/devices/virtual/powercap", "/sys/firmware",
}

// ReadonlyPaths may be read but not changed.
var ReadonlyPaths = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}

// capabilities are the sets the program starts with. Root has the set, as the
// kernel would give it at execve; another user has none, and cannot get more
// than the set from set-uid files.
func capabilities(in Input) (*specs.LinuxCapabilities, error) {
	c := in.Config
	set, err := capability.Resolve(c.CapAdd, c.CapDrop, c.Privileged, in.Available)
	if err != nil {
		return nil, err
	}
	if in.Identity.UID != 0 {
		return &specs.LinuxCapabilities{Bounding: set.Names()}, nil
	}
	return set.Spec(), nil
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
