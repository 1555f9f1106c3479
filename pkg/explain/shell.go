package explain

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// joins are the namespaces a shell joins, in this order: the user namespace
// first, because being root there is what allows to join those it owns, and
// the mount namespace last, because after it /proc is another one.
var joins = []struct {
	name string
	flag kernel.CloneFlags
}{
	{"user", unix.CLONE_NEWUSER},
	{"cgroup", unix.CLONE_NEWCGROUP},
	{"ipc", unix.CLONE_NEWIPC},
	{"uts", unix.CLONE_NEWUTS},
	{"net", unix.CLONE_NEWNET},
	{"pid", unix.CLONE_NEWPID},
	{"mnt", unix.CLONE_NEWNS},
}

// The shell's own standard files, and places in the other process.
const (
	slotIn   kernel.Slot = "in"
	slotOut  kernel.Slot = "out"
	slotErr  kernel.Slot = "err"
	slotRoot kernel.Slot = "root"
	slotCwd  kernel.Slot = "cwd"
)

// Shell returns a Prompter's Shell: it runs a shell that has joined those
// namespaces of a process that are not ours, and stands in the process's root
// and working directory. Before the container's own tree is in place that is
// the host's /bin/sh, later the container's. It does not join the container's
// cgroup: what is typed is not counted against it.
//
// A Ctrl-C typed into the shell does not reach this process.
func Shell(in, out, err *os.File) func(pid int) error {
	return func(pid int) error { return runShell(pid, in, out, err) }
}

func runShell(pid int, in, out, errs *os.File) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	h := kernel.NewHost()
	defer closeOpened(h)
	for slot, f := range map[kernel.Slot]*os.File{slotIn: in, slotOut: out, slotErr: errs} {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3) // dup3 refuses a descriptor onto itself
		if err != nil {
			return fmt.Errorf("copy %s for the shell: %w", f.Name(), err)
		}
		h.Slots[slot] = uintptr(fd)
	}
	calls, err := joinCalls(h, pid)
	if err != nil {
		return err
	}
	quiet := make(chan os.Signal, 1)
	signal.Notify(quiet, unix.SIGINT, unix.SIGQUIT)
	defer signal.Stop(quiet)
	child, err := h.Spawn(kernel.Clone(kernel.CloneArgs{Flags: unix.CLONE_CLEAR_SIGHAND}), append(calls, shells()...))
	if err != nil {
		return err
	}
	defer child.Close()
	for child.Hear() {
	}
	err = child.Executed()
	wait(child)
	takeTerminal(in)
	return err
}

// joinCalls opens what the shell needs of the other process while its /proc can
// be seen, and lists the calls that lead there.
func joinCalls(h *kernel.Host, pid int) ([]kernel.Call, error) {
	proc := fmt.Sprintf("/proc/%d/", pid)
	open := func(name string, flags kernel.OpenFlags, s kernel.Slot) error {
		_, err := h.Do(kernel.Openat(kernel.AtFDCWD, proc+name, flags|unix.O_CLOEXEC, 0).Into(s))
		return err
	}
	var calls []kernel.Call
	var joined kernel.CloneFlags
	for _, j := range joins {
		ours, _ := os.Readlink("/proc/thread-self/ns/" + j.name)
		if theirs, err := os.Readlink(proc + "ns/" + j.name); err != nil || theirs == ours {
			continue
		}
		slot := kernel.Slot("ns-" + j.name)
		if err := open("ns/"+j.name, unix.O_RDONLY, slot); err != nil {
			return nil, err
		}
		calls = append(calls, kernel.Setns(kernel.FD(slot), j.flag))
		joined |= j.flag
	}
	for name, slot := range map[string]kernel.Slot{"root": slotRoot, "cwd": slotCwd} {
		if err := open(name, unix.O_PATH|unix.O_DIRECTORY, slot); err != nil {
			return nil, err
		}
	}
	calls = append(calls, kernel.Fchdir(kernel.FD(slotRoot)), kernel.Chroot("."), kernel.Fchdir(kernel.FD(slotCwd)).Allowing(unix.EACCES))
	if joined&unix.CLONE_NEWUSER != 0 { // root there, as soon as somebody is mapped
		calls = append(calls, kernel.Setresgid(0).Allowing(unix.EINVAL), kernel.Setresuid(0).Allowing(unix.EINVAL))
	}
	calls = append(calls, kernel.Dup3(kernel.FD(slotIn), 0, false), kernel.Dup3(kernel.FD(slotOut), 1, false), kernel.Dup3(kernel.FD(slotErr), 2, false))
	if joined&unix.CLONE_NEWPID != 0 { // only a child is in the pid namespace
		calls = append(calls, kernel.CloneAgain(kernel.CloneArgs{Flags: unix.CLONE_PARENT}))
	}
	return calls, nil
}

// shells are the candidates, the last one for images of nothing but busybox.
func shells() []kernel.Call {
	term := os.Getenv("TERM")
	if term == "" {
		term = "linux"
	}
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "TERM=" + term, "PS1=half-made:$PWD# "}
	return []kernel.Call{
		kernel.Execve("/bin/sh", []string{"sh"}, env),
		kernel.Execve("/bin/bash", []string{"bash"}, env),
		kernel.Execve("/bin/busybox", []string{"sh"}, env),
	}
}

// wait reaps the shell, and the process that went before it into the pid
// namespace.
func wait(child *kernel.Child) {
	for _, pid := range []int{child.PID, child.Final()} {
		for {
			if _, err := syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
				break
			}
		}
	}
}

// takeTerminal makes our process group the terminal's foreground again: a shell
// with job control has moved itself there and may have been killed.
func takeTerminal(f *os.File) {
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return
	}
	signal.Ignore(unix.SIGTTOU) // we are in the background until the call has returned
	defer signal.Reset(unix.SIGTTOU)
	_ = unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCSPGRP, unix.Getpgrp())
}

// closeOpened closes the copies and what joinCalls opened.
func closeOpened(h *kernel.Host) {
	for _, fd := range h.Slots {
		_ = unix.Close(int(fd))
	}
}
