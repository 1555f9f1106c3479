package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	goruntime "runtime"
	"strconv"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/capability"
	"minictr/pkg/cgroup"
	"minictr/pkg/engine/bundle"
	"minictr/pkg/kernel"
	"minictr/pkg/kernel/calm"
	"minictr/pkg/lsm"
	"minictr/pkg/process"
	"minictr/pkg/runtime"
	"minictr/pkg/shim/client"
	"minictr/pkg/step"
	"minictr/pkg/terminal"
)

// ExecOptions describe one more process in a running container.
type ExecOptions struct {
	Args       []string
	Env        []string // over the container's own
	User       string   // "": the container's
	WorkingDir string   // "": the container's
	TTY        bool
	Size       terminal.Size
	Privileged bool

	// Stdin, Stdout and Stderr are the process's own, unless it has a TTY. Nil
	// is /dev/null.
	Stdin, Stdout, Stderr *os.File

	// Final says that the calling goroutine starts no other process afterwards:
	// then it is its own thread that joins the container's pid namespace, and no
	// new one.
	Final bool

	// Ahead, if not nil, saves looking at this machine.
	Ahead *Ahead

	Observe func(step.Event)
}

// Ahead is what Exec needs to know of this machine, and not of the container.
type Ahead struct {
	found     chan struct{} // closed when it is known
	cgroups   cgroup.Hierarchy
	noCgroups error
}

// LookAhead begins to find that out, on another processor if there is one.
func LookAhead() *Ahead {
	a := &Ahead{found: make(chan struct{})}
	go func() {
		calm.Deep()
		a.cgroups, a.noCgroups = cgroup.Detect()
		close(a.found)
		process.OwnExe() // remembers it
	}()
	return a
}

func (a *Ahead) hierarchy() (cgroup.Hierarchy, error) {
	<-a.found
	return a.cgroups, a.noCgroups
}

// UserError says why [ExecOptions].User is nobody in the container.
type UserError struct{ error }

func (e *UserError) Unwrap() error { return e.error }

// Execution is a process that Exec has started. It is a child of this one.
type Execution struct {
	PID     int
	Console *os.File // the master of its terminal, if it has one

	tell func(action string, more map[string]string)
}

// Exec starts a process in a running container. No shim is involved: the new
// process is this one's child, joined to the container's namespaces and
// cgroups.
func (e *Engine) Exec(c *Container, o ExecOptions) (*Execution, error) {
	fd, err := c.pidfd()
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	if c.State.Status == "paused" {
		return nil, fmt.Errorf("container %s is paused: unpause it first", c.Name)
	}
	config, err := runtime.LoadRunning(e.Dirs.Container(c.ID))
	if err != nil {
		return nil, err
	}
	if o.Ahead != nil {
		config.Hierarchy = o.Ahead.hierarchy
	}
	p, err := execProcess(c, config.Spec.Process, o)
	if err != nil {
		return nil, err
	}
	tell := e.tellExec(c, o.Args)
	if config.Other != nil {
		x, err := execOther(config, p, o)
		if err == nil {
			x.tell = tell
		}
		return x, err
	}
	plan, err := runtime.ExecPlan(config, c.State.Pid, p, runtime.IO{Terminal: o.TTY, Width: o.Size.Width, Height: o.Size.Height})
	if err != nil {
		return nil, err
	}
	slots, release, err := o.stdio()
	if err != nil {
		return nil, err
	}
	defer release()
	process.HeedSignals()
	runner := step.Runner{Slots: slots, Observe: o.Observe}
	var made *step.Process
	if o.Final {
		goruntime.LockOSThread()
		made, err = runner.Run(plan)
	} else {
		made, err = onOwnThread(func() (*step.Process, error) { return runner.Run(plan) })
	}
	if err != nil && overSoon(fd, err) {
		return nil, &NotRunningError{c.Name}
	}
	if err != nil {
		return nil, err
	}
	x := &Execution{PID: made.PID, tell: tell}
	if master, ok := made.Slots[terminal.Copy]; ok && o.TTY {
		_ = unix.SetNonblock(int(master), true)
		x.Console = os.NewFile(master, "terminal")
	}
	return x, nil
}

// overSoon reports whether an exec failed because the container has ended: there
// was no process whose namespaces could be joined, or its pid namespace takes no
// new one, which clone says as if memory were short (clone3(2)).
func overSoon(pidfd int, err error) bool {
	var call *kernel.CallError
	killed := errors.As(err, &call) && call.Killed // with the others of its pid namespace, perhaps
	if !killed && !errors.Is(err, unix.ENOMEM) {
		return errors.Is(err, unix.ESRCH)
	}
	const patience = 2000 // ms until a process that is ending has ended
	n, _ := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, patience)
	return n > 0
}

// onOwnThread runs do on a thread that does nothing else afterwards: joining a
// pid namespace marks the thread, whose every later child would be born there.
func onOwnThread(do func() (*step.Process, error)) (*step.Process, error) {
	type result struct {
		p   *step.Process
		err error
	}
	done := make(chan result)
	go func() {
		goruntime.LockOSThread() // never unlocked: the thread ends with the goroutine
		p, err := do()
		done <- result{p, err}
	}()
	r := <-done
	return r.p, r.err
}

// stdio are the descriptors that become the program's 0, 1 and 2.
func (o *ExecOptions) stdio() (slots map[kernel.Slot]int, release func(), err error) {
	var opened []int
	release = func() {
		for _, fd := range opened {
			_ = unix.Close(fd)
		}
	}
	if o.TTY {
		return nil, release, nil
	}
	slots = make(map[kernel.Slot]int)
	for _, s := range []struct {
		slot kernel.Slot
		file *os.File
	}{{process.Stdin, o.Stdin}, {process.Stdout, o.Stdout}, {process.Stderr, o.Stderr}} {
		var fd int
		if s.file == nil {
			fd, err = unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
		} else {
			// A copy above the numbers that dup3 will overwrite.
			fd, err = unix.FcntlInt(s.file.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		}
		if err != nil {
			release()
			return nil, nil, fmt.Errorf("pass on %s: %w", s.slot, err)
		}
		opened = append(opened, fd)
		slots[s.slot] = fd
	}
	return slots, release, nil
}

// execProcess is the container's process, changed as the options say.
func execProcess(c *Container, base *specs.Process, o ExecOptions) (*specs.Process, error) {
	p := *base
	p.Args, p.Terminal = o.Args, o.TTY
	if o.TTY {
		p.Env = bundle.Environment(p.Env, []string{"TERM=xterm"})
	}
	if o.WorkingDir != "" {
		p.Cwd = o.WorkingDir
	}
	if o.User != "" {
		id, err := identify(o.User, c.Config.GroupAdd, func(path string) ([]byte, error) { return readInside(c.State.Pid, path) })
		if err == nil && c.IDs != nil {
			err = c.IDs.Check(id)
		}
		if err != nil {
			return nil, &UserError{err}
		}
		p.User = id.User()
		p.Env = bundle.Environment(p.Env, []string{"HOME=" + id.Home})
	}
	p.Env = bundle.Environment(p.Env, o.Env)
	return &p, execCapabilities(&p, o)
}

// execCapabilities: root has the container's bounding set, others have none;
// a privileged process has all there are, and no AppArmor profile.
func execCapabilities(p *specs.Process, o ExecOptions) error {
	if p.Capabilities == nil {
		return nil
	}
	bounding := p.Capabilities.Bounding
	if o.Privileged {
		own, err := capability.Own()
		if err != nil {
			return err
		}
		bounding, p.ApparmorProfile = own.Available().Names(), lsm.Unconfined
	}
	p.Capabilities = &specs.LinuxCapabilities{Bounding: bounding}
	if p.User.UID == 0 {
		p.Capabilities.Effective, p.Capabilities.Permitted = bounding, bounding
	}
	return nil
}

// readInside reads a file of a running container, without leaving its root:
// what looks like a link to the host's file is one to the container's.
func readInside(pid int, path string) ([]byte, error) {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "enter the root of process", Path: fmt.Sprint(pid), Err: err}
	}
	defer func() { _ = unix.Close(root) }()
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(root, path, &how)
	if err != nil {
		return nil, &os.PathError{Op: "open in the container", Path: path, Err: err}
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s in the container is not a regular file", path)
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxAccounts))
}

// Leave lets the process go on without its user: the container's shim holds
// its terminal from now on, which the kernel would hang up with us.
func (e *Engine) Leave(c *Container, x *Execution) error {
	return client.Keep(e.Dirs, c.ID, x.Console)
}

// Wait waits for the end of the process and returns its exit code, as a shell
// has it.
func (x *Execution) Wait() (int, error) {
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(x.PID, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("wait for process %d: %w", x.PID, err)
		}
		code := status.ExitStatus()
		if status.Signaled() {
			code = 128 + int(status.Signal())
		}
		x.tell("exec_die", map[string]string{"exitCode": strconv.Itoa(code)})
		return code, nil
	}
}

// Signal sends a signal to the process. Nobody has reaped it before Wait, so
// its pid is its own.
func (x *Execution) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("%v is no signal of this system", sig)
	}
	return unix.Kill(x.PID, s)
}
