package oci

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
)

// ExecOptions say how Exec runs a process.
type ExecOptions struct {
	Process       *specs.Process
	PidFile       string
	ConsoleSocket string
	PidfdSocket   string
	KeepConsole   bool // as in Options
	PreserveFDs   int
	IgnorePaused  bool

	SubCgroups map[string]string // by controller: below the container's own

	Planned func()           // as in Options
	Observe func(step.Event) // as in Options
}

// Executed is a process that Exec started, our child.
type Executed struct {
	PID     int
	Console *os.File
}

// Exec starts one more process in the container.
func (c *Container) Exec(o ExecOptions) (*Executed, error) {
	switch s := c.Status(); {
	case s == specs.StateStopped:
		return nil, ErrExecStopped
	case s == StatePaused && !o.IgnorePaused:
		return nil, ErrExecPaused
	}
	if err := checkProcess(o.Process); err != nil {
		return nil, err
	}
	if o.Process.Terminal && o.ConsoleSocket == "" && !o.KeepConsole {
		return nil, errors.New("cannot allocate tty if runc will detach without setting console socket")
	}
	config := *c.Plan
	config.PreserveFDs, config.SubCgroups = o.PreserveFDs+listenFDs(), o.SubCgroups
	passListenFDs(o.Process)
	fillHome(o.Process, fmt.Sprintf("/proc/%d/root", c.PID), nil)
	plan, err := runtime.ExecPlan(&config, c.PID, o.Process, consoleIO(o.Process, o.KeepConsole && o.ConsoleSocket == ""))
	if err != nil {
		return nil, err
	}
	if o.Planned != nil {
		o.Planned()
	}
	if !o.Process.Terminal {
		giveStdio(o.Process.User, c.Spec)
	}
	p, err := runPlan(plan, nil, o.Observe, nil)
	if err != nil {
		return nil, c.explainFailure(err, o.Process)
	}
	e := &Executed{PID: p.PID}
	e.Console, err = console(p, o.ConsoleSocket, o.KeepConsole)
	if err == nil && o.PidfdSocket != "" {
		err = sendPidfd(o.PidfdSocket, p.PID)
	}
	if err == nil && o.PidFile != "" {
		err = writePidFile(o.PidFile, p.PID)
	}
	if err != nil {
		_ = unix.Kill(p.PID, unix.SIGKILL)
		_, _ = Wait(p.PID)
		return nil, err
	}
	return e, nil
}

// Wait waits for our child and returns what a shell would: its exit status, or
// 128 and the signal that ended it.
func Wait(pid int) (int, error) {
	var ws unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &ws, 0, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, fmt.Errorf("wait for process %d: %w", pid, err)
		case ws.Signaled():
			return 128 + int(ws.Signal()), nil
		}
		return ws.ExitStatus(), nil
	}
}

// ProcessFlags are the parts of a process that exec's flags change.
type ProcessFlags struct {
	Args           []string
	Cwd, User      string
	Env            []string
	AdditionalGids []uint32
	Caps           []string
	TTY            bool
	NoNewPrivs     bool
	AppArmor       string
	Label          string
}

// Process is the container's own process with other arguments and what else
// the flags change.
func (c *Container) Process(f ProcessFlags) (*specs.Process, error) {
	p := *c.Spec.Process
	p.Args, p.Terminal, p.ConsoleSize = f.Args, f.TTY, nil
	p.Env = merged(p.Env, f.Env)
	if f.Cwd != "" {
		p.Cwd = f.Cwd
	}
	if f.AppArmor != "" {
		p.ApparmorProfile = f.AppArmor
	}
	if f.Label != "" {
		p.SelinuxLabel = f.Label
	}
	p.NoNewPrivileges = p.NoNewPrivileges || f.NoNewPrivs
	if f.User != "" {
		uid, gid, err := parseUser(f.User)
		if err != nil {
			return nil, err
		}
		p.User.UID = uid
		if gid != nil {
			p.User.GID = *gid
		}
	}
	p.User.AdditionalGids = append(slices.Clone(p.User.AdditionalGids), f.AdditionalGids...)
	if len(f.Caps) > 0 {
		caps := specs.LinuxCapabilities{}
		if p.Capabilities != nil {
			caps = *p.Capabilities
		}
		sets := []*[]string{&caps.Bounding, &caps.Permitted, &caps.Effective}
		if len(caps.Inheritable) > 0 {
			sets = append(sets, &caps.Ambient) // as in runc: what can be handed on, is
		}
		for _, set := range sets {
			*set = append(slices.Clone(*set), f.Caps...)
		}
		p.Capabilities = &caps
	}
	return &p, nil
}

// merged is an environment with more in it: a name stands once, for programs
// take the first of two, and its last value counts.
func merged(env, more []string) []string {
	all := slices.Clone(env)
	for _, e := range more {
		name, _, _ := strings.Cut(e, "=")
		all = slices.DeleteFunc(all, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		all = append(all, e)
	}
	return all
}

func parseUser(s string) (uid uint32, gid *uint32, err error) {
	u, g, both := strings.Cut(s, ":")
	id, err := strconv.ParseUint(u, 10, 32)
	if err != nil {
		return 0, nil, fmt.Errorf("parsing %s as int for uid failed: %w", u, err)
	}
	if !both {
		return uint32(id), nil, nil
	}
	n, err := strconv.ParseUint(g, 10, 32)
	if err != nil {
		return 0, nil, fmt.Errorf("parsing %s as int for gid failed: %w", g, err)
	}
	group := uint32(n)
	return uint32(id), &group, nil
}

// containerHook runs a hook of kind startContainer: a process in the container
// with the rights of the program that is to start.
func (c *Container) containerHook(h specs.Hook) error {
	state, err := json.Marshal(c.State())
	if err != nil {
		return err
	}
	file, err := unix.MemfdCreate("state", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	in := os.NewFile(uintptr(file), "state")
	defer in.Close()
	if _, err := in.Write(state); err != nil {
		return err
	}
	if _, err := in.Seek(0, 0); err != nil {
		return err
	}
	config := *c.Plan
	config.PreserveFDs = 0
	hook := c.Plan.ContainerHook(h)
	if h.Env == nil {
		fillHome(hook, fmt.Sprintf("/proc/%d/root", c.PID), nil)
	}
	plan, err := runtime.ExecPlan(&config, c.PID, hook, runtime.IO{})
	if err != nil {
		return err
	}
	// The hook's path, not its first argument, names the program.
	exec := &plan[len(plan)-1]
	exec.Calls = []kernel.Call{kernel.Execve(h.Path, hook.Args, hook.Env)}
	p, err := runPlan(plan, nil, nil, in)
	if err != nil {
		return err
	}
	return step.Wait(p.PID, c.Plan.Hook(h, specs.StateCreated).Timeout)
}
