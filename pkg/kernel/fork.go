package kernel

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The Go runtime's own fork bracket: it blocks all signals, so that no handler
// runs in the child, and makes any stack growth until afterFork a crash
// instead of a corruption. Between the two the goroutine stays on its thread.
// gVisor enters the runtime by the same two names.

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

// nanotime reads CLOCK_MONOTONIC through the vDSO: no system call, so a trace
// of the child shows the calls of the plan and nothing else.
//
//go:linkname nanotime runtime.nanotime
//go:noescape
func nanotime() int64

// cloneAndRun clones and, in the child, interprets the table; it returns only
// in the parent. Everything it touches was allocated before.
//
// The child is alone: no other thread, no garbage collector, no scheduler. It
// must not allocate, grow its stack, take a lock or call anything that might;
// hence the annotations, and loops over arrays instead of friendlier code.
//
//go:norace
//go:noinline
func cloneAndRun(args *cloneArgs, size uintptr, t *table, rec *Recorder) (pid uintptr, errno syscall.Errno) {
	ops, values, failed, entries := t.ops, t.values, t.failed, rec.entries
	beforeFork()
	pid, _, errno = syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(args)), size, 0)
	if errno != 0 || pid != 0 {
		afterFork()
		return pid, errno
	}
	interpret(ops, values, failed, entries)
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, childFailed, 0, 0)
	}
}

// childFailed is the exit status of a child whose plan broke off. The parent
// learns why from the recorder; nobody reads the number.
const childFailed = 121

// interpret makes the calls one after the other until one fails that may not,
// or execve replaces the program.
//
//go:norace
//go:noinline
//go:nosplit
func interpret(ops []op, values []uintptr, failed []bool, entries []entry) {
	for i := 0; i < len(ops); i++ {
		o, e := &ops[i], &entries[i]
		if o.guard >= 0 && failed[o.guard] != o.fails[0] || o.also >= 0 && failed[o.also] != o.fails[1] {
			atomic.StoreUint32(&e.state, uint32(Skipped))
			if o.save >= 0 && o.save != o.guard && o.save != o.also { // "unless it is there already" leaves what is there
				failed[o.save] = true
			}
			continue
		}
		for j := 0; j < 6; j++ {
			if o.slots[j] >= 0 {
				o.args[j] = values[o.slots[j]]
			}
		}
		e.start = nanotime()
		atomic.StoreUint32(&e.state, uint32(Entered))
		ret, _, errno := syscall.RawSyscall6(o.nr, o.args[0], o.args[1], o.args[2], o.args[3], o.args[4], o.args[5])
		if o.kind == fork && errno == 0 && ret != 0 {
			// This is the first process of two: its work is done, the one it
			// made goes on with the table. It leaves the result for both.
			e.ret, e.end = ret, nanotime()
			atomic.StoreUint32(&e.state, uint32(Done))
			for {
				syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
			}
		}
		if o.kind == fork && errno == 0 {
			// This is the second process: whoever hears from it wants to know its
			// pid, so the first one must have left that. It is about to.
			for atomic.LoadUint32(&e.state) != uint32(Done) { //nolint:staticcheck // shared memory, another process
			}
		}
		if o.kind != plain && errno == 0 {
			errno = verdict(o, ret)
		}
		if !(o.kind == fork && errno == 0) {
			e.ret, e.errno, e.end = ret, uint32(errno), nanotime()
			atomic.StoreUint32(&e.state, uint32(Done))
		}
		if o.save >= 0 {
			values[o.save], failed[o.save] = ret, errno != 0
		}
		if errno != 0 && errno != o.allow[0] && errno != o.allow[1] && errno != o.allow[2] {
			return
		}
	}
}

// verdict is the errno of calls whose failure hides behind a success: a
// netlink reply carries its error inside, a parent that died sends nothing.
//
//go:norace
//go:nosplit
func verdict(o *op, ret uintptr) syscall.Errno {
	switch o.kind {
	case ack:
		return netlinkErrno(o.reply, ret)
	case await, wakeup:
		if ret == 0 {
			return syscall.ECANCELED
		}
	}
	return 0
}

// netlinkErrno reads the error field of the acknowledgement (struct nlmsgerr
// behind a 16-byte struct nlmsghdr, netlink(7)) in a reply of n bytes.
//
//go:norace
//go:nosplit
func netlinkErrno(msg unsafe.Pointer, n uintptr) syscall.Errno {
	if n < 20 {
		return syscall.EBADMSG
	}
	if *(*uint16)(unsafe.Add(msg, 4)) != unix.NLMSG_ERROR {
		return syscall.EBADMSG
	}
	return syscall.Errno(-*(*int32)(unsafe.Add(msg, 16)))
}
