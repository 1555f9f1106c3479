package kernel

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// SetMempolicy is set_mempolicy(2): which memory nodes the pages of this process
// come from. mode is an MPOL_* constant with its flags; no nodes are NULL.
func SetMempolicy(mode Named, nodes []uint64) Call {
	if len(nodes) == 0 {
		return call("set_mempolicy", unix.SYS_SET_MEMPOLICY, mode, Null, Int(0))
	}
	mask := append([]uint64(nil), nodes...)
	// The kernel takes one bit less than it is told (set_mempolicy(2), NOTES of numa(7)).
	return call("set_mempolicy", unix.SYS_SET_MEMPOLICY, mode,
		memory{unsafe.Pointer(&mask[0]), func() string { return maskText(mask) }}, Int(64*len(mask)+1))
}

// SchedSetaffinity is sched_setaffinity(2) on this process: the processors it
// may run on. The kernel leaves out those that its cpuset forbids.
func SchedSetaffinity(cpus []uint64) Call {
	mask := append([]uint64(nil), cpus...)
	return call("sched_setaffinity", unix.SYS_SCHED_SETAFFINITY, Int(0), Int(8*len(mask)),
		memory{unsafe.Pointer(unsafe.SliceData(mask)), func() string { return maskText(mask) }})
}

func maskText(mask []uint64) string {
	s := "["
	for i, word := range mask {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%#016x", word)
	}
	return s + "]"
}
