package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/engine/config"
	"minictr/pkg/record"
	"minictr/pkg/shim"
	"minictr/pkg/shim/client"
	"minictr/pkg/shim/wire"
)

// policy is the container's restart policy, as its shim knows it.
func (c *Container) policy() shim.Policy {
	return shim.Policy{Name: c.Config.Restart.Name, Retries: c.Config.Restart.Retries}
}

// joinedOwners are the containers whose namespaces this one shares, by the
// namespace's kind.
func (e *Engine) joinedOwners(cfg *config.Config) (map[string]string, error) {
	owners := make(map[string]string)
	for kind, mode := range map[specs.LinuxNamespaceType]string{
		specs.NetworkNamespace: cfg.Mode, specs.PIDNamespace: cfg.Namespaces.PID, specs.IPCNamespace: cfg.Namespaces.IPC,
	} {
		ref, joins := config.Joined(mode)
		if !joins {
			continue
		}
		other, err := e.Get(ref)
		if err != nil {
			return nil, err
		}
		owners[string(kind)] = other.ID
	}
	return owners, nil
}

// Restart stops a container, if it runs, and starts it again.
func (e *Engine) Restart(ctx context.Context, c *Container, timeout *time.Duration, sig unix.Signal) error {
	if c.Running() && c.Config.AutoRemove { // its end shall not be the last one
		var over *NotRunningError
		if err := e.ask(ctx, c, wire.Request{Do: wire.DoStay}); err != nil && !errors.As(err, &over) {
			return err
		}
	}
	if err := e.StopWith(ctx, c, timeout, sig); err != nil {
		return err
	}
	if err := e.refresh(c); err != nil {
		return err
	}
	session, err := e.Start(ctx, c, StartOptions{})
	var running *RunningError
	if errors.As(err, &running) {
		return nil // somebody else was quicker: it has been stopped, and started
	}
	if err != nil {
		return err
	}
	session.Close()
	e.tell(c, "restart", nil)
	return nil
}

// revive starts a container again whose shim was killed, if its policy wants
// that: the policy was the shim's to follow, and has gone with it.
func (e *Engine) revive(ctx context.Context, id string) error {
	c, err := e.Get(id)
	var missing *record.NotFoundError
	if errors.As(err, &missing) { // it was to be removed at its end
		return nil
	}
	if err != nil {
		return err
	}
	s := c.State
	if s.Status != record.Exited || !c.policy().Again(s.ExitCode, s.Restarts, s.Stopped) {
		return nil
	}
	if err := e.startAgain(ctx, c, s.Restarts+1); err != nil {
		return fmt.Errorf("start container %s again, whose shim was killed: %w", c.Name, err)
	}
	return nil
}

func (e *Engine) startAgain(ctx context.Context, c *Container, restarts int) error {
	session, err := e.Start(ctx, c, StartOptions{restarts: restarts})
	if err != nil {
		return err
	}
	session.Close()
	return nil
}

// StartEnabled starts the containers that their policy wants to run after the
// machine was started: those that ran before, by policy always, or by
// unless-stopped if no user has stopped them. It goes on after a failure.
func (e *Engine) StartEnabled(ctx context.Context, started func(*Container)) error {
	list, err := e.List()
	errs := []error{err}
	for _, c := range list {
		if c.Running() || c.State.StartedAt.IsZero() || !c.policy().AtBoot(c.State.Stopped) {
			continue
		}
		if err := e.startAgain(ctx, c, c.State.Restarts); err != nil {
			errs = append(errs, fmt.Errorf("start container %s: %w", c.Name, err))
			continue
		}
		started(c)
	}
	return errors.Join(errs...)
}

// ask asks the container's shim for something.
func (e *Engine) ask(ctx context.Context, c *Container, r wire.Request) error {
	err := client.Ask(ctx, e.Dirs, c.ID, r)
	if errors.Is(err, client.ErrNotRunning) {
		return &NotRunningError{c.Name}
	}
	return err
}

// Pause freezes all processes of a container.
func (e *Engine) Pause(ctx context.Context, c *Container) error {
	return e.freeze(ctx, c, wire.DoPause)
}

// Unpause lets them go on.
func (e *Engine) Unpause(ctx context.Context, c *Container) error {
	return e.freeze(ctx, c, wire.DoResume)
}

func (e *Engine) freeze(ctx context.Context, c *Container, do wire.Verb) error {
	if !c.Running() {
		return &NotRunningError{c.Name}
	}
	err := e.ask(ctx, c, wire.Request{Do: do})
	var over *NotRunningError
	if err == nil || errors.As(err, &over) {
		return err
	}
	return fmt.Errorf("%s container %s: %w", map[wire.Verb]string{wire.DoPause: "pause", wire.DoResume: "unpause"}[do], c.Name, err)
}
