package oci

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
)

// Start lets a created container's program run. Hooks of the kind
// startContainer run before, in the container; those of the kind poststart
// after, outside. When one fails, the container is stopped.
func (c *Container) Start() error {
	switch c.Status() {
	case specs.StateCreated:
	case specs.StateStopped:
		return ErrHasStopped
	default:
		return ErrIsRunning
	}
	if h := c.Spec.Hooks; h != nil {
		for i, hook := range h.StartContainer {
			if err := c.containerHook(hook); err != nil {
				return errors.Join(hookError("startContainer", i, hook.Path, err), c.end())
			}
		}
	}
	if err := c.raise(); err != nil {
		return err
	}
	if h := c.Spec.Hooks; h != nil && len(h.Poststart) > 0 {
		c.awaitProgram()
		for i, hook := range h.Poststart {
			err := c.hostHook("poststart", i, hook, specs.StateRunning)
			switch {
			case err != nil && c.lenient():
				warn(err)
			case err != nil:
				return errors.Join(err, c.end())
			}
		}
	}
	return nil
}

// raise opens the gate: it copies the eventfd on which the process waits out of
// that process, and counts it up.
func (c *Container) raise() error {
	pidfd, err := unix.PidfdOpen(c.PID, 0)
	if err != nil {
		return fmt.Errorf("reach process %d: %w", c.PID, err)
	}
	defer unix.Close(pidfd)
	gate, err := unix.PidfdGetfd(pidfd, c.Gate, 0)
	if err != nil {
		return fmt.Errorf("copy the gate of process %d: %w", c.PID, err)
	}
	defer unix.Close(gate)
	c.Open = true
	if err := c.save(); err != nil {
		return err
	}
	if _, err := unix.Write(gate, binary.NativeEndian.AppendUint64(nil, 1)); err != nil {
		return fmt.Errorf("raise the gate: %w", err)
	}
	return nil
}

// lenient: before version 1.2 of the specification a failing poststart hook was
// worth a warning only.
func (c *Container) lenient() bool {
	return strings.HasPrefix(c.Spec.Version, "1.0.") || strings.HasPrefix(c.Spec.Version, "1.1.")
}

// hostHook runs a hook in our own namespaces.
func (c *Container) hostHook(kind string, i int, hook specs.Hook, status specs.ContainerState) error {
	pid := c.PID
	if status == specs.StateStopped {
		pid = 0
	}
	if err := c.Plan.Hook(hook, status).Run(pid); err != nil {
		return hookError(kind, i, hook.Path, err)
	}
	return nil
}

// Kill sends the container's first process a signal. In a pid namespace of its
// own its death is that of all others; elsewhere SIGKILL goes to each of them,
// also when the first one has ended already.
func (c *Container) Kill(sig unix.Signal) error {
	if sig == unix.SIGKILL && !c.ownsPIDs() {
		if pids, err := c.Processes(); err != nil || len(pids) > 0 {
			return errors.Join(err, c.KillAll(sig))
		}
	}
	if c.Status() == specs.StateStopped {
		return ErrNotRunning
	}
	return unix.Kill(c.PID, sig)
}

// ownsPIDs: a container that has joined another one's pid namespace, or has
// none, is not the only one there.
func (c *Container) ownsPIDs() bool {
	l := c.Spec.Linux
	return l != nil && slices.ContainsFunc(l.Namespaces, func(n specs.LinuxNamespace) bool {
		return n.Type == specs.PIDNamespace && n.Path == ""
	})
}

// KillAll sends a signal to all processes of the container, also when the first
// one has ended already.
func (c *Container) KillAll(sig unix.Signal) error {
	g, err := c.group()
	if err != nil {
		return err
	}
	err = g.Kill(sig)
	if err == nil && sig == unix.SIGKILL {
		return g.Thaw() // frozen processes die when they thaw, in v1
	}
	return err
}

// Delete removes a stopped container, or, with force, any. What a hook of kind
// poststop complains about does not keep the container; it is in the error.
func (c *Container) Delete(force bool) error {
	if s := c.Status(); s != specs.StateStopped {
		if !force {
			return fmt.Errorf("cannot delete container %s %w: %s", c.ID, ErrNotStopped, s)
		}
		if err := c.end(); err != nil {
			return err
		}
	}
	if err := c.undo(); err != nil {
		return err
	}
	if err := c.forget(); err != nil {
		return err
	}
	c.poststop()
	return nil
}

// Warn is told what goes wrong without keeping a command from its end. It is
// set by main; a library has nobody to tell.
var warn = func(error) {}

// OnWarning sets who is told of failures that the specification wants logged
// only.
func OnWarning(f func(error)) { warn = f }

// poststop: a failing hook is a warning, and the next one runs all the same.
func (c *Container) poststop() {
	if c.Spec.Hooks == nil {
		return
	}
	for i, hook := range c.Spec.Hooks.Poststop {
		if err := c.hostHook("poststop", i, hook, specs.StateStopped); err != nil {
			warn(err)
		}
	}
}

// end kills the container and waits until it is gone: up to ten seconds, for a
// process in an uninterruptible call takes its time.
func (c *Container) end() error {
	if c.PID == 0 {
		return nil
	}
	_ = unix.Kill(c.PID, unix.SIGKILL)
	if c.paused() {
		if g, err := c.group(); err == nil {
			_ = g.Thaw()
		}
	}
	pause := 100 * time.Microsecond
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(pause) {
		if c.Status() == specs.StateStopped {
			return nil
		}
		if pause = 2 * pause; pause > 10*time.Millisecond {
			pause = 10 * time.Millisecond
			cgroup.ThawProcess(c.PID) // somebody may have put it elsewhere, and stopped it there
		}
	}
	return fmt.Errorf("process %d does not end", c.PID)
}

// undo takes back what the container's plan left on the host.
func (c *Container) undo() error {
	names, err := step.ReadJournal(c.journal())
	if err != nil || len(names) == 0 {
		return err
	}
	if c.plan == nil {
		if c.plan, err = runtime.Plan(c.Plan, consoleIO(c.Spec.Process, false)); err != nil {
			return fmt.Errorf("make the plan again to undo it: %w", err)
		}
	}
	return step.Undo(c.plan, names, nil)
}
