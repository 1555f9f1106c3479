package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/engine/config"
	"minictr/pkg/network"
	"minictr/pkg/record"
	"minictr/pkg/shim"
	"minictr/pkg/shim/wire"
	"minictr/pkg/volume"
)

// DefaultStopTimeout is how long a container has to end when it is asked to.
const DefaultStopTimeout = shim.DefaultStopTimeout

// Kill sends a signal. One that ends a container for sure is waited for, as by
// docker: afterwards the container has ended.
func (e *Engine) Kill(ctx context.Context, c *Container, sig unix.Signal) error {
	if err := e.signal(ctx, c, sig, c.endsWith(sig)); err != nil {
		return err
	}
	e.tell(c, "kill", map[string]string{"signal": strconv.Itoa(int(sig))})
	if sig == unix.SIGKILL {
		return e.waitEnd(ctx, c)
	}
	return nil
}

// signal sends a signal to the container's first process. Its shim has to know
// of it if there is a policy that would start the container again, or was when
// it ended, or if the container stands still; and it alone knows the process if
// the state is damaged. last says that the user wants the container to end.
func (e *Engine) signal(ctx context.Context, c *Container, sig unix.Signal, last bool) error {
	if !c.policy().Active() && c.State.Status == record.Running {
		return c.Signal(sig)
	}
	if !c.Running() && !c.unknown() {
		return &NotRunningError{c.Name}
	}
	return e.ask(ctx, c, wire.Request{Do: wire.DoSignal, Signal: int(sig), ByUser: true, Last: last})
}

// endsWith tells whether a signal counts as the wish that the container ends:
// by docker's rule each one does if the container has no stop signal of its
// own, and else that one and SIGKILL.
func (c *Container) endsWith(sig unix.Signal) bool {
	own := c.Config.StopSignal != "" || c.Image.Config.StopSignal != ""
	return !own || sig == unix.SIGKILL || sig == c.StopSignal()
}

// Stop asks a container to end and kills it when the time is over; nil means
// the container's own, else docker's ten seconds. A negative time waits for
// ever. A container that does not run is stopped already.
func (e *Engine) Stop(ctx context.Context, c *Container, timeout *time.Duration) error {
	return e.StopWith(ctx, c, timeout, 0)
}

// StopWith is Stop with another signal than the container's own; 0 is none.
func (e *Engine) StopWith(ctx context.Context, c *Container, timeout *time.Duration, sig unix.Signal) error {
	limit := DefaultStopTimeout
	if timeout == nil {
		timeout = c.Config.StopTimeout
	}
	if timeout != nil {
		limit = *timeout
	}
	if sig == 0 {
		sig = c.StopSignal()
	}
	if !c.Running() && !c.unknown() {
		_, err := e.Wait(ctx, c)
		return err
	}
	if err := e.end(ctx, c, limit, sig); err != nil {
		return err
	}
	e.tell(c, "stop", nil)
	return nil
}

func (e *Engine) end(ctx context.Context, c *Container, limit time.Duration, sig unix.Signal) error {
	var over *NotRunningError
	if err := e.signal(ctx, c, sig, true); errors.As(err, &over) {
		return e.waitEnd(ctx, c)
	} else if err != nil {
		return err
	}
	e.tell(c, "kill", map[string]string{"signal": strconv.Itoa(int(sig))})
	soon, cancel := ctx, func() {}
	if limit >= 0 {
		soon, cancel = context.WithTimeout(ctx, limit)
	}
	err := e.waitEnd(soon, c)
	cancel()
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return err
	}
	if err := e.Kill(ctx, c, unix.SIGKILL); !errors.As(err, &over) {
		return err
	}
	return e.waitEnd(ctx, c)
}

// RemoveOptions say how thoroughly a container is removed.
type RemoveOptions struct {
	Force   bool // kill it first if it runs
	Volumes bool // its anonymous volumes too
}

// Remove removes a container: its record, its name, and what it wrote. Data in
// volumes stays, but for anonymous ones on request.
func (e *Engine) Remove(ctx context.Context, c *Container, o RemoveOptions) error {
	if c.Running() {
		if !o.Force {
			return fmt.Errorf("container %s is %s: stop it first, or remove it with -f", c.Name, c.State.Status)
		}
		_ = e.Kill(ctx, c, unix.SIGKILL) // what that does not end, aloneByForce does
	}
	release, err := e.claim(ctx, c)
	var missing *record.NotFoundError
	if errors.As(err, &missing) { // it removed itself
		return nil
	}
	if err != nil {
		return err
	}
	defer release()
	alone := e.alone
	if o.Force {
		alone = e.aloneByForce
	}
	lock, err := alone(ctx, c)
	if err != nil {
		return err
	}
	given := e.giveBack(c)
	e.tell(c, "destroy", nil)
	finish, err := record.Vanish(e.Dirs, c.ID)
	if given != nil { // what the container had claimed is not to be read any more
		err = errors.Join(err, e.forget(c.ID))
	}
	if err == nil {
		err = finish()
	}
	if err = errors.Join(err, lock.Release()); err != nil || !o.Volumes {
		return err
	}
	return e.removeAnonymous(c)
}

// giveBack returns an address that a start which was killed half way had
// claimed.
func (e *Engine) giveBack(c *Container) error {
	if !c.bridged() {
		return nil
	}
	ep, err := e.planned(c) // a damaged container counts as bridged
	if err != nil || ep == nil {
		return err
	}
	return network.Abandon(ep)
}

// removeAnonymous leaves what another container has by now (--volumes-from): the
// last of them takes it along.
func (e *Engine) removeAnonymous(c *Container) error {
	var errs []error
	for _, name := range c.anonymous() {
		err := e.RemoveVolume(name)
		if !errors.Is(err, volume.ErrInUse) && !errors.Is(err, volume.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// anonymous are the volumes that were made for this container, or for one that it
// has them from.
func (c *Container) anonymous() []string {
	var names []string
	for _, m := range c.Mounts {
		if m.Type == config.Volume && m.Anonymous {
			names = append(names, m.Source)
		}
	}
	return names
}

// Rename gives a container another name.
func (e *Engine) Rename(c *Container, name string) error {
	name = strings.TrimPrefix(name, "/") // as inspect prints it
	if err := record.Rename(e.Dirs, c.ID, name); err != nil {
		return err
	}
	old := c.Name
	c.Name = name
	e.tell(c, "rename", map[string]string{"oldName": "/" + old})
	return nil
}
