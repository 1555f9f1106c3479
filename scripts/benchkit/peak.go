package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// peak is the most memory that a runtime's own process has had at one time, in KiB of RSS.
type peak struct {
	contender string
	run, exec int
}

// peakRuns is how often each command is weighed; the figures hardly vary.
const peakRuns = 5

// peaks weighs the runtimes while they run the bundle, and while they execute a program in a container.
func (b *bench) peaks(runtimes []*contender) {
	runtimes = slices.DeleteFunc(slices.Clone(runtimes), func(c *contender) bool { return !c.unique }) // unshare
	progress("peak: %d contenders", len(runtimes))
	sleepers, done := b.sleepers(runtimes)
	defer done()
	for _, c := range runtimes {
		p := peak{contender: c.name}
		var err error
		if p.run, err = c.peak(); err == nil {
			i := slices.IndexFunc(sleepers, func(s *contender) bool { return s.name == c.name })
			if i < 0 {
				continue // the reason has been told
			}
			p.exec, err = sleepers[i].peak()
		}
		if err != nil {
			b.report.missing("peak memory of "+c.name, err)
			continue
		}
		b.report.peaks = append(b.report.peaks, p)
	}
}

// peak is the median of a few runs.
func (c *contender) peak() (int, error) {
	var all []int
	for i := range peakRuns {
		argv := c.argv
		if c.unique {
			argv = append(argv[:len(argv):len(argv)], fmt.Sprintf("bench-peak-%d", i))
		}
		var kib int
		var err error
		c.world.do(func() { kib, err = weighPeak(argv, append(os.Environ(), c.env...)) })
		if err != nil {
			return 0, err
		}
		all = append(all, kib)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// weighPeak runs a command and stops it in the moment in which it ends, to read what it needed at most.
//
// wait4 reports a figure, too, but that is not the command's: it does not begin with execve but with the process that
// called it, a copy of this one. VmHWM belongs to the address space, which execve makes anew, and it is gone when the
// process can be waited for. So the command is traced (ptrace(2)), with the one option that stops it on its way out.
// Its children are not traced.
func weighPeak(argv, env []string) (kib int, err error) {
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec(program, argv, &syscall.ProcAttr{
		Env: env, Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}, Sys: &syscall.SysProcAttr{Ptrace: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", argv[0], err)
	}
	timer := time.AfterFunc(patience, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	defer timer.Stop()
	for traced := false; ; {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err == syscall.EINTR {
			continue
		} else if err != nil {
			return 0, err
		}
		signal := 0
		switch {
		case status.Exited() && status.ExitStatus() == 0 && kib > 0:
			return kib, nil
		case !status.Stopped():
			return 0, fmt.Errorf("%s: ended with status %#x", strings.Join(argv, " "), status)
		case !traced: // execve has just been done
			traced = true
			err = syscall.PtraceSetOptions(pid, unix.PTRACE_O_TRACEEXIT|unix.PTRACE_O_TRACEEXEC|unix.PTRACE_O_EXITKILL)
		case status.TrapCause() == unix.PTRACE_EVENT_EXIT:
			kib, err = highWater(pid)
		case status.StopSignal() != syscall.SIGTRAP:
			signal = int(status.StopSignal()) // its own affair: it shall have it
		}
		if err == nil {
			err = syscall.PtraceCont(pid, signal)
		}
		if err != nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			_, _ = syscall.Wait4(pid, nil, 0, nil)
			return 0, fmt.Errorf("trace %s: %w", argv[0], err)
		}
	}
}

// highWater reads the most that a process has had in memory, in KiB (proc_pid_status(5)).
func highWater(pid int) (int, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
		}
	}
	return 0, errors.New("no VmHWM in its status")
}
