package bundle

import (
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
