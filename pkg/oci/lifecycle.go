package oci

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/process"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
)

// Options of Create.
type Options struct {
	ID      string
	Bundle  string
	PidFile string
	Run     bool // do not stop at the gate: create and start in one
}

// Create makes a container and leaves its process at the gate, or, with Run,
// running. On failure nothing is left.
func (r Root) Create(o Options) (*Container, error) {
	bundle, err := filepath.Abs(o.Bundle)
	if err != nil {
		return nil, err
	}
	config, err := runtime.Load(bundle)
	if err != nil {
		return nil, fmt.Errorf("read the bundle: %w", err)
	}
	dir, err := r.dir(o.ID)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(string(r), 0o700); err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("container with id %s exists already", o.ID)
	} else if err != nil {
		return nil, err
	}
	config.ID, config.Created = o.ID, !o.Run
	c := &Container{ID: o.ID, Bundle: bundle, Created: time.Now().UTC(), Spec: config.Spec, Plan: config, Open: o.Run, dir: dir}
	if err := c.create(o); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

func (c *Container) create(o Options) error {
	if err := refuse(c.Spec); err != nil {
		return err
	}
	plan, err := runtime.Plan(c.Plan, runtime.IO{})
	if err != nil {
		return err
	}
	// The plan can be undone from here on, should we be killed.
	if err := c.save(); err != nil {
		return err
	}
	journal, err := step.OpenJournal(c.journal())
	if err != nil {
		return err
	}
	defer journal.Close()
	stdio, err := duplicates()
	if err != nil {
		return err
	}
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	runner := step.Runner{Journal: journal, Slots: stdio}
	p, err := runner.Run(plan)
	if err != nil {
		return err
	}
	c.PID, c.Gate = p.PID, int(p.Slots[process.Gate])
	_, c.Started, _ = procStat(c.PID)
	err = c.save()
	if err == nil && o.PidFile != "" {
		err = os.WriteFile(o.PidFile, []byte(strconv.Itoa(c.PID)), 0o644)
	}
	if err != nil {
		return errors.Join(err, unix.Kill(c.PID, unix.SIGKILL), c.undo())
	}
	return nil
}

// refuse names what the configuration asks for and this runtime cannot do yet:
// better than a container that quietly lacks it.
func refuse(s *specs.Spec) error {
	switch {
	case s.Hooks != nil && len(s.Hooks.Prestart)+len(s.Hooks.CreateRuntime)+len(s.Hooks.CreateContainer)+ //nolint:staticcheck // prestart is deprecated, and refused
		len(s.Hooks.StartContainer)+len(s.Hooks.Poststart)+len(s.Hooks.Poststop) > 0:
		return errors.New("hooks are not supported yet")
	case s.Process != nil && s.Process.Terminal:
		return errors.New("process.terminal is not supported yet")
	}
	return nil
}

func (c *Container) journal() string { return filepath.Join(c.dir, "journal") }

// duplicates gives the container's standard streams, which are ours, numbers
// that dup3 can copy from.
func duplicates() (map[kernel.Slot]int, error) {
	slots := make(map[kernel.Slot]int, 3)
	for i, s := range []kernel.Slot{process.Stdin, process.Stdout, process.Stderr} {
		fd, err := unix.FcntlInt(uintptr(i), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return nil, fmt.Errorf("descriptor %d: %w", i, err)
		}
		slots[s] = fd
	}
	return slots, nil
}

// Start lets a created container's program run.
func (c *Container) Start() error {
	if s := c.Status(); s != specs.StateCreated {
		return fmt.Errorf("cannot start a container in the %s state", s)
	}
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

// Kill sends the container's first process a signal.
func (c *Container) Kill(sig unix.Signal) error {
	if s := c.Status(); s == specs.StateStopped {
		return errors.New("container not running")
	}
	return unix.Kill(c.PID, sig)
}

// Delete removes a stopped container, or, with force, any.
func (c *Container) Delete(force bool) error {
	if s := c.Status(); s != specs.StateStopped {
		if !force {
			return fmt.Errorf("cannot delete container %s that is not stopped: %s", c.ID, s)
		}
		if err := c.end(); err != nil {
			return err
		}
	}
	return errors.Join(c.undo(), os.RemoveAll(c.dir))
}

// end kills the container and waits until it is gone: up to ten seconds, for a
// process in an uninterruptible call takes its time.
func (c *Container) end() error {
	_ = unix.Kill(c.PID, unix.SIGKILL)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if c.Status() == specs.StateStopped {
			return nil
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
	plan, err := runtime.Plan(c.Plan, runtime.IO{})
	if err != nil {
		return fmt.Errorf("make the plan again to undo it: %w", err)
	}
	return step.Undo(plan, names, nil)
}
