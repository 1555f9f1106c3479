package process

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// HeedSignals makes this process handle all signals that it was started to
// ignore; the handling is to do nothing. A signal that is ignored stays so
// through fork and execve (signal(7)), one that is handled does not: what
// nohup, a shell or a supervisor did to us is none of the container's business.
func HeedSignals() {
	unheard := make(chan os.Signal, 1)
	for n := syscall.Signal(1); n <= lastSignal; n++ {
		switch {
		case !signal.Ignored(n):
		case n >= 32 && n <= 34: // the C library's own; Go lends nobody these
			resetSignal(n)
		default:
			signal.Notify(unheard, n)
		}
	}
}

const lastSignal = 64

// resetSignal gives a signal its default action, for signals that nobody will
// send us; see rt_sigaction(2).
func resetSignal(n syscall.Signal) {
	// Handler, flags, restorer and mask of the kernel's struct sigaction.
	var defaultAction [4]uint64
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(n), uintptr(unsafe.Pointer(&defaultAction)), 0, 8, 0, 0)
}
