package engine

import (
	"context"
	"errors"

	"minictr/pkg/record"
	"minictr/pkg/shim"
)

// Settle clears up behind processes that were killed: shims whose containers
// are to be undone, and makers of containers that never came to be. While
// there is nothing to do it costs a look at three directories, so every
// command begins with it.
func (e *Engine) Settle(ctx context.Context) error {
	orphans, err := record.Orphans(e.Dirs)
	errs := []error{err}
	for _, id := range orphans {
		if ctx.Err() != nil {
			break
		}
		errs = append(errs, shim.Settle(e.Dirs, id))
	}
	return errors.Join(append(errs, record.Sweep(e.Dirs))...)
}
