package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/record"
)

// claim keeps other commands from starting or removing a container, while this
// one does: a flock on its directory. (The lock of package record is the
// shim's, who needs it while we wait for it.)
func (e *Engine) claim(ctx context.Context, c *Container) (release func(), err error) {
	f, err := os.Open(e.Dirs.Container(c.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &record.NotFoundError{Ref: c.Name}
	}
	if err != nil {
		return nil, fmt.Errorf("lock container %s: %w", c.Name, err)
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			if err = e.refresh(c); err == nil {
				return func() { _ = f.Close() }, nil
			}
			_ = f.Close()
			return nil, err
		}
		if err == unix.EWOULDBLOCK {
			select {
			case <-time.After(pause):
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		_ = f.Close()
		return nil, fmt.Errorf("lock container %s: %w", c.Name, err)
	}
}

// refresh reads the container's state again: it may have been another's turn.
func (e *Engine) refresh(c *Container) error {
	state, err := record.ReadState(e.Dirs.Container(c.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return &record.NotFoundError{Ref: c.Name}
	}
	c.State = state
	return err
}
