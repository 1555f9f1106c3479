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
	away, err := os.MkdirTemp(s.dir, ".removed-")
	if err == nil {
		err = os.Rename(h.dir, filepath.Join(away, name))
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		err = errors.Join(err, os.RemoveAll(away))
	}
	if err != nil {
		return fmt.Errorf("remove volume %s: %w", name, err)
	}
	return nil
}
