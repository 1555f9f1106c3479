package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Empty tells whether there is nothing in the volume.
func (h *Held) Empty() (bool, error) {
	entries, err := os.ReadDir(h.Data)
	return len(entries) == 0, err
}

// Fill gives an empty volume its first content, which copy puts into the
// directory that it is given; it says false if there is none. A volume that
// has content is left alone. No running container may use the volume: it would
// go on with the old directory.
func (h *Held) Fill(copy func(dir string) (bool, error)) error {
	// One at a time: a shared lock becomes an exclusive one. This gives up the
	// lock for a moment, so look again who is there.
	if err := flock(h.lock, unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock volume %s: %w", h.Name, err)
	}
	defer func() { _ = flock(h.lock, unix.LOCK_SH) }()
	if !same(h.lock, h.dir) {
		return fmt.Errorf("%w: %s was removed a moment ago", ErrNotFound, h.Name)
	}
	if empty, err := h.Empty(); err != nil || !empty {
		return err
	}
	fresh := filepath.Join(h.dir, freshName)
	err := os.RemoveAll(fresh) // of somebody who was interrupted
	if err == nil {
		err = os.Mkdir(fresh, 0o755)
	}
	found := false
	if err == nil {
		found, err = copy(fresh)
	}
	if err == nil && found {
		err = unix.Rename(fresh, h.Data) // an empty directory may be replaced
	}
	if err != nil || !found {
		err = errors.Join(err, os.RemoveAll(fresh))
	}
	if err != nil {
		return fmt.Errorf("fill volume %s: %w", h.Name, err)
	}
	return nil
}
