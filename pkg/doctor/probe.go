package doctor

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// attempt is a child that makes calls and ends: the kernel's own answer to "can
// you do this?".
type attempt struct {
	host  *kernel.Host
	child *kernel.Child
	calls []kernel.Call
}

// try lets a child with namespaces of its own make calls. The error is the
// first call's that failed, nil if all succeeded.
func try(flags kernel.CloneFlags, calls ...kernel.Call) error {
	_, err := tryOn(kernel.NewHost(), kernel.CloneArgs{Flags: flags}, nil, calls...)
	return err
}

// tryOn is try with slots to use, a cgroup to be born in, and something to do
// for the child at each Tell among the calls; the child must await it.
func tryOn(h *kernel.Host, args kernel.CloneArgs, at func(pid int) error, calls ...kernel.Call) (map[kernel.Slot]uintptr, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	args.Flags |= unix.CLONE_CLEAR_SIGHAND
	child, err := h.Spawn(kernel.Clone(args), calls)
	if err != nil {
		return nil, err
	}
	a := &attempt{h, child, calls}
	defer a.end()
	for child.Hear() {
		if err := at(child.PID); err != nil {
			return nil, err
		}
		child.Release()
	}
	return child.Results(), a.failure()
}

// failure is the first call that failed. The child ends by itself after the
// last one: a list without execve is all we want of it.
func (a *attempt) failure() error {
	for i, c := range a.calls {
		r := a.child.Rec.Result(kernel.Preamble + i)
		switch {
		case r.State == kernel.Skipped, r.OK(), r.State == kernel.Done && c.Allowed(r.Errno):
		case r.State == kernel.Done:
			return &kernel.CallError{Call: c, Text: c.String(), Errno: r.Errno}
		default:
			return &kernel.CallError{Call: c, Text: c.String(), Errno: syscall.EINTR, Killed: true}
		}
	}
	return nil
}

// end makes sure that nothing of the child remains.
func (a *attempt) end() {
	_ = unix.Kill(a.child.PID, unix.SIGKILL)
	for {
		if _, err := syscall.Wait4(a.child.PID, nil, 0, nil); err != syscall.EINTR {
			break
		}
	}
	a.child.Close()
}

// answer is what the kernel said, short: "mount: Operation not permitted (EPERM)".
func answer(err error) string {
	var ce *kernel.CallError
	switch {
	case errors.As(err, &ce) && ce.Killed:
		return ce.Call.Name + ": the process was killed"
	case errors.As(err, &ce):
		return fmt.Sprintf("%s: %s (%s)", ce.Call.Name, ce.Errno.Error(), unix.ErrnoName(ce.Errno))
	}
	return err.Error()
}

// inNewNetns calls f on a thread that has a network namespace of its own, and
// brings the thread back. A thread that cannot come back ends with its
// goroutine.
func inNewNetns(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			runtime.UnlockOSThread()
			result <- fmt.Errorf("remember the network namespace: %w", err)
			return
		}
		defer unix.Close(home)
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			runtime.UnlockOSThread()
			result <- fmt.Errorf("unshare: %w", err)
			return
		}
		err = f()
		if unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		result <- err
	}()
	return <-result
}

// readWord is the content of a small file without the space around it, or "".
func readWord(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// mapToSelf maps the child's root to our own user, as its parent may.
func mapToSelf(pid int) error {
	for _, m := range []struct {
		file  string
		value string
	}{
		{"setgroups", "deny"},
		{"uid_map", fmt.Sprintf("0 %d 1", os.Geteuid())},
		{"gid_map", fmt.Sprintf("0 %d 1", os.Getegid())},
	} {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, m.file), []byte(m.value), 0); err != nil {
			return err
		}
	}
	return nil
}
