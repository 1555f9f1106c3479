package volume

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Empty tells whether there is nothing in the volume, or not all of what somebody
// was filling it with when he was interrupted.
func (h *Held) Empty() (bool, error) {
	entries, err := os.ReadDir(h.Data)
	return len(entries) == 0 || h.interrupted(), err
}

func (h *Held) interrupted() bool {
	_, err := os.Lstat(h.beside(filledName))
	return err == nil
}

func (h *Held) beside(name string) string { return filepath.Join(h.dir, name) }

// Fill gives an empty volume its first content, which copy puts into the
// directory that it is given; it says false if there is none. A volume that
// has content is left alone, and what a container writes meanwhile stays.
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
	err := h.copied(copy)
	if err == nil && h.interrupted() {
		err = h.moveIn()
	}
	if err != nil {
		return fmt.Errorf("fill volume %s: %w", h.Name, err)
	}
	return nil
}

// copied makes a copy beside the data, whole or not at all, unless there is one.
func (h *Held) copied(copy func(dir string) (bool, error)) error {
	if h.interrupted() {
		return nil
	}
	fresh := h.beside(freshName)
	err := os.RemoveAll(fresh) // of somebody who was interrupted
	if err == nil {
		err = os.Mkdir(fresh, 0o755)
	}
	found := false
	if err == nil {
		found, err = copy(fresh)
	}
	if err == nil && found {
		err = unix.Rename(fresh, h.beside(filledName))
	}
	if err != nil || !found {
		err = errors.Join(err, os.RemoveAll(fresh))
	}
	return err
}

// moveIn moves the copy into the data, name by name. To put it in the place of the
// data would be one step, but a container that has just been started would go on
// with the old directory, and what it writes would be lost. Safe to run again.
func (h *Held) moveIn() error {
	from := h.beside(filledName)
	var st unix.Stat_t
	entries, err := os.ReadDir(from)
	if err == nil {
		err = unix.Stat(from, &st)
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		err := unix.Renameat2(unix.AT_FDCWD, filepath.Join(from, e.Name()), unix.AT_FDCWD, filepath.Join(h.Data, e.Name()), unix.RENAME_NOREPLACE)
		if err != nil && !errors.Is(err, fs.ErrExist) { // else the container was quicker
			return err
		}
	}
	err = errors.Join(
		os.Chown(h.Data, int(st.Uid), int(st.Gid)),
		copyAttributes(from, h.Data),
		unix.Chmod(h.Data, st.Mode&0o7777),
		unix.UtimesNanoAt(unix.AT_FDCWD, h.Data, []unix.Timespec{st.Atim, st.Mtim}, 0),
	)
	return errors.Join(err, os.RemoveAll(from))
}

// copyAttributes copies extended attributes.
func copyAttributes(from, to string) error {
	list := make([]byte, 64<<10) // the most that listxattr(2) returns
	n, err := unix.Listxattr(from, list)
	if err == unix.ENOTSUP {
		return nil
	}
	for name := range strings.SplitSeq(string(list[:max(n, 0)]), "\x00") {
		if name == "" || err != nil {
			continue
		}
		value := make([]byte, 64<<10)
		if n, err = unix.Getxattr(from, name, value); err == nil {
			err = unix.Setxattr(to, name, value[:n], 0)
		}
	}
	return err
}
