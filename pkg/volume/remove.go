package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Remove removes a volume and its data. inUse (which may be nil) names the
// containers that have it; it is asked while nobody can begin to use the
// volume.
func (s *Store) Remove(name string, inUse func(name string) ([]string, error)) error {
	if CheckName(name) != nil {
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	h, err := s.hold(name, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		return err
	}
	defer func() { _ = h.Release() }()
	if inUse != nil {
		users, err := inUse(name)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return fmt.Errorf("%w: %s, by container %s", ErrInUse, name, strings.Join(users, ", "))
		}
	}
	err = removeBy(s.trash(), h.dir)
	if errors.Is(err, unix.EXDEV) { // the volumes are on a file system of their own
		err = removeBy(s.dir, h.dir)
	}
	if err != nil {
		return fmt.Errorf("remove volume %s: %w", name, err)
	}
	return nil
}

// removeBy takes a volume's directory out of sight, at once and as a whole, and
// then deletes it.
func removeBy(aim, dir string) error {
	away, err := aside(aim)
	if err != nil {
		return err
	}
	err = os.Rename(dir, filepath.Join(away, filepath.Base(dir)))
	return errors.Join(err, os.RemoveAll(away))
}
