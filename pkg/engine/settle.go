package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/network"
	"minictr/pkg/record"
	"minictr/pkg/shim"
	"minictr/pkg/shim/client"
	"minictr/pkg/shim/wire"
)

// Settle clears up behind processes that were killed: shims whose containers
// are to be undone, or whose network is to be removed, and makers of containers
// that never came to be. While there is nothing to do it costs a look at three
// directories and at the bridge, so every command begins with it.
func (e *Engine) Settle(ctx context.Context) error {
	orphans, err := record.Orphans(e.Dirs)
	errs := []error{err}
	for _, id := range orphans {
		if ctx.Err() != nil {
			break
		}
		killed, err := shim.Settle(e.Dirs, id)
		if killed {
			err = errors.Join(err, e.revive(ctx, id))
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, record.Sweep(e.Dirs, e.forget), network.RemoveForgotten(e.Dirs.Run))...)
}

// forget gives back what somebody has claimed for a container whose start he did
// not live to see.
func (e *Engine) forget(id string) error {
	err := network.Sweep(e.Dirs.Run, func(owner string) bool { return owner != id })
	_, rerr := network.RemoveIfUnused(e.Dirs.Run, 0, nil)
	return errors.Join(err, rerr)
}

// alone waits until no shim looks after the container, clears up behind one
// that was killed, and keeps new ones away. The caller has claimed the
// container. A shim that is about to end takes a moment.
func (e *Engine) alone(ctx context.Context, c *Container) (*record.Lock, error) {
	return e.aloneMeanwhile(ctx, c, func() {}, func(unsettled error) error { return unsettled })
}

// aloneByForce is alone, and kills a container that its shim still runs: it may
// have been half way through its start when we looked, or its record may be
// damaged.
func (e *Engine) aloneByForce(ctx context.Context, c *Container) (*record.Lock, error) {
	return e.aloneMeanwhile(ctx, c, func() {
		last := wire.Request{Do: wire.DoSignal, Signal: int(unix.SIGKILL), ByUser: true, Last: true}
		_ = client.Ask(ctx, e.Dirs, c.ID, last) // if nobody hears it has ended
	}, func(error) error { return shim.Discard(e.Dirs, c.ID) })
}

func (e *Engine) aloneMeanwhile(ctx context.Context, c *Container, meanwhile func(), unsettled func(error) error) (*record.Lock, error) {
	for deadline := time.Now().Add(patience); ; {
		lock, err := record.Hold(e.Dirs, c.ID)
		switch {
		case errors.Is(err, record.ErrHeld) && time.Now().Before(deadline) && ctx.Err() == nil:
			meanwhile()
			time.Sleep(2 * time.Millisecond)
			continue
		case err != nil:
			return nil, fmt.Errorf("container %s: %w", c.Name, err)
		}
		if _, err := os.Lstat(e.Dirs.Journal(c.ID)); errors.Is(err, fs.ErrNotExist) {
			return lock, nil
		}
		if err := lock.Keep(); err != nil { // Settle takes it itself
			return nil, err
		}
		killed, err := shim.Settle(e.Dirs, c.ID)
		if err != nil {
			err = unsettled(err)
		}
		if err != nil {
			return nil, err
		}
		c.lost = c.lost || killed
	}
}

// patience is how long a shim may take to end after its container has.
const patience = 10 * time.Second

// settle clears up behind a container's shim, and reads how it ended. If the
// shim was killed, its container's policy has its say.
func (e *Engine) settle(ctx context.Context, c *Container) error {
	lock, err := e.alone(ctx, c)
	if err == nil {
		err = lock.Release()
	}
	if err == nil {
		err = e.refresh(c)
	}
	if err == nil && c.lost {
		c.lost = false
		err = e.revive(ctx, c.ID)
	}
	return err
}

// abandon clears up behind a start whose shim went away without a word.
func (e *Engine) abandon(c *Container) error {
	lock, err := e.alone(context.Background(), c)
	if err != nil {
		return err
	}
	return errors.Join(e.giveBack(c), lock.Release())
}
