package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"minictr/pkg/record"
	"minictr/pkg/runtime"
	"minictr/pkg/shim"
	"minictr/pkg/shim/client"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
)

// StartOptions say who watches a start.
type StartOptions struct {
	client.Streams                             // connected to the container from its first byte on
	Observe        func(step.Event)            // told of every call
	Pause          func(wire.PausePoint) error // asked before every step
	Without        []string                    // steps to leave out
	Fault          *wire.Fault                 // for tests

	restarts int // how often the container's policy has started it, this time included
}

// Start makes and runs a container. It returns when its program runs; a
// *wire.Failure says why it does not, a *RunningError that it did before.
func (e *Engine) Start(ctx context.Context, c *Container, o StartOptions) (*client.Session, error) {
	program, err := programPath(shimName)
	if err != nil {
		return nil, err
	}
	release, err := e.claim(ctx, c)
	if err != nil {
		return nil, err
	}
	defer release()
	if c.Running() {
		return nil, &RunningError{c.Name}
	}
	var told sync.WaitGroup
	if s := &o.Streams; s.Stdin != nil || s.Stdout != nil || s.Stderr != nil {
		told.Go(func() { e.tell(c, "attach", nil) }) // while there is other work
	}
	defer told.Wait()
	marker, err := record.Mark(e.Dirs, c.ID)
	if err != nil {
		return nil, err
	}
	defer func() { _ = marker.Done() }()
	if err := e.giveBack(c); err != nil {
		return nil, err
	}
	if err := makeSources(c.Mounts); err != nil {
		return nil, err
	}
	plan, err := e.prepare(c)
	if err != nil {
		return nil, err
	}
	plan.Without = o.Without
	var own shim.Config
	if own, err = e.shimConfig(c); err == nil {
		err = runtime.Save(plan)
	}
	if err == nil {
		err = shim.SaveConfig(plan.Bundle, own)
	}
	if err != nil {
		return nil, errors.Join(err, e.disconnect(plan.Network))
	}
	told.Wait() // the shim tells of the start
	session, err := client.Start(ctx, client.Options{
		Streams: o.Streams, Dirs: e.Dirs, ID: c.ID, Shim: program, Observe: o.Observe, Pause: o.Pause, Fault: o.Fault,
		Marker: marker.File, Restarts: o.restarts,
	})
	if err != nil {
		var failed *wire.Failure
		if !errors.As(err, &failed) { // else the shim has given everything back
			err = errors.Join(err, e.abandon(c))
		}
		return nil, err
	}
	return session, nil
}

func (e *Engine) shimConfig(c *Container) (shim.Config, error) {
	log, err := e.logConfig(c)
	if err != nil {
		return shim.Config{}, err
	}
	joins, err := e.joinedOwners(&c.Config)
	s := shim.Config{
		Log:   log,
		Stdin: c.Config.OpenStdin, StdinOnce: c.Config.StdinOnce, AutoRemove: c.Config.AutoRemove,
		Restart: c.policy(), Ending: shim.Ending{Signal: c.StopSignal(), Timeout: c.Config.StopTimeout}, Health: c.healthCheck(), About: c.about(), Joins: joins,
		Uses: c.connections(),
	}
	if c.Config.AutoRemove {
		s.Volumes = c.anonymous()
	}
	return s, err
}

// Attach connects to a running container's streams.
func (e *Engine) Attach(ctx context.Context, c *Container, s client.Streams) (*client.Session, error) {
	session, err := client.Attach(ctx, e.Dirs, c.ID, s)
	if errors.Is(err, client.ErrNotRunning) {
		err = &NotRunningError{c.Name}
	}
	if err == nil {
		e.tell(c, "attach", nil)
	}
	return session, err
}

// Wait waits until a container has ended, and returns its exit code. One that
// does not run has ended already; so has one whose shim was killed, and that is
// cleared up behind.
func (e *Engine) Wait(ctx context.Context, c *Container) (int, error) { return e.wait(ctx, c, 0) }

// waitEnd waits for the end of the run that c's state tells of, when it has been
// asked to end. Somebody else may start the container again at once; to wait for
// that run's end, and to kill it when time is over, is not what was wanted.
func (e *Engine) waitEnd(ctx context.Context, c *Container) error {
	pid := c.State.Pid
	if c.policy().Active() { // its shim knows that no other run follows the one that it was told of
		pid = 0
	}
	_, err := e.wait(ctx, c, pid)
	return err
}

func (e *Engine) wait(ctx context.Context, c *Container, pid int) (int, error) {
	exit, err := client.WaitRun(ctx, e.Dirs, c.ID, pid)
	var missing *record.NotFoundError
	if errors.As(err, &missing) { // it removed itself
		return exit.Code, nil
	}
	if err != nil && ctx.Err() == nil {
		if err = e.settle(ctx, c); err == nil {
			return c.State.ExitCode, nil
		}
	}
	if err != nil {
		return 0, fmt.Errorf("wait for container %s: %w", c.Name, err)
	}
	return exit.Code, nil
}
