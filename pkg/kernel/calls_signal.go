package kernel

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// exitOnSignalAddress is where the handler of ExitOnSignal begins, a few
// instructions of the files signal_*.s.
func exitOnSignalAddress() uintptr

// sigaction is the kernel's struct sigaction (asm/signal.h).
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// ExitOnSignal is rt_sigaction(2) with a handler that ends the process at once.
// A child that waits as process 1 of a pid namespace has need of it: the kernel
// keeps from such a process all signals that it has no handler for
// (pid_namespaces(7)). execve puts the default action back.
func ExitOnSignal(sig unix.Signal) Call {
	const restorerFlag = 0x04000000 // SA_RESTORER, without which x86-64 delivers nothing
	address := exitOnSignalAddress()
	action := &sigaction{handler: address, flags: restorerFlag, restorer: address}
	show := func() string {
		return fmt.Sprintf("{sa_handler=%#x, sa_mask=[], sa_flags=SA_RESTORER, sa_restorer=%#x}", address, address)
	}
	return call("rt_sigaction", unix.SYS_RT_SIGACTION, Named{unix.SignalName(sig), uintptr(sig)}, memory{unsafe.Pointer(action), show}, Null, Int(8))
}
