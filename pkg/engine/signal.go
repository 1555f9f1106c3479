package engine

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"minictr/pkg/engine/config"
	"minictr/pkg/record"
)

// NotRunningError is a command that needs a process, and there is none.
type NotRunningError struct{ Name string }

func (e *NotRunningError) Error() string {
	return fmt.Sprintf("container %s is not running", e.Name)
}

// RunningError is a start of what runs. To docker that is what was asked for.
type RunningError struct{ Name string }

func (e *RunningError) Error() string {
	return fmt.Sprintf("container %s is running already", e.Name)
}

// Signal sends a signal to a container's first process.
func (c *Container) Signal(sig unix.Signal) error {
	fd, err := c.pidfd()
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	err = unix.PidfdSendSignal(fd, sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return &NotRunningError{c.Name}
	}
	if err != nil {
		return fmt.Errorf("send %s to container %s: %w", unix.SignalName(sig), c.Name, err)
	}
	return nil
}

// pidfd takes hold of the container's first process. A pid says little by
// itself, for it may be another process's by now; a descriptor of a process
// whose start time is the recorded one means that process for good.
func (c *Container) pidfd() (int, error) {
	if !c.Running() {
		return -1, &NotRunningError{c.Name}
	}
	if c.State.Status == record.Restarting {
		return -1, fmt.Errorf("container %s is restarting, wait until it runs", c.Name)
	}
	fd, err := unix.PidfdOpen(c.State.Pid, 0)
	if err == nil && record.Alive(c.State.Pid, c.State.PidStart) {
		return fd, nil
	}
	if err == nil {
		_ = unix.Close(fd)
		err = unix.ESRCH
	}
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return -1, &NotRunningError{c.Name}
	}
	return -1, fmt.Errorf("reach container %s: %w", c.Name, err)
}

// StopSignal is what asks the container to end.
func (c *Container) StopSignal() unix.Signal {
	for _, name := range []string{c.Config.StopSignal, c.Image.Config.StopSignal} {
		if sig, err := config.ParseSignal(name); err == nil {
			return sig
		}
	}
	return unix.SIGTERM
}
