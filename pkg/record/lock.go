package record

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrHeld says that a container's lock is held: its shim lives, or somebody is
// clearing up behind it.
var ErrHeld = errors.New("the container is in use")

// Lock is a locked file. The kernel unlocks it when its holder is gone.
type Lock struct {
	file *os.File
	dirs Dirs
	id   string
}

// Hold locks a container, and makes its run directory if there is none.
// Whoever holds the lock may write the container's state. ErrHeld if somebody
// else does.
func Hold(d Dirs, id string) (*Lock, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	for {
		if err := makeDirs(d.RunDir(id)); err != nil {
			return nil, err
		}
		f, err := lockFile(d.lock(id), os.O_CREATE)
		if errors.Is(err, os.ErrNotExist) {
			continue // the run directory was removed a moment ago
		}
		if err != nil {
			return nil, err
		}
		return &Lock{f, d, id}, nil
	}
}

// lockFile opens and locks path. The last holder may have removed the file
// between the two: then the lock is worth nothing, and there is no such file.
func lockFile(path string, create int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|create, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			return nil, ErrHeld
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	locked, err := f.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Stat(path); err == nil && !os.SameFile(locked, there) {
			err = os.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Keep unlocks and leaves the run directory.
func (l *Lock) Keep() error { return l.file.Close() }

// Release removes the run directory with all that is in it, then unlocks.
func (l *Lock) Release() error {
	err := removeRunDir(l.dirs, l.id)
	if err := errors.Join(err, l.file.Close()); err != nil {
		return fmt.Errorf("remove the run directory: %w", err)
	}
	return nil
}

// held reports whether somebody holds the lock of a container. Every command asks
// that of every container that runs: see [kernel.Load] for why not by package os.
func held(d Dirs, id string) bool {
	fd, err := unix.Open(d.lock(id), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK
}

// Orphans returns the containers whose shim is gone without having cleared up,
// by ID. Whoever wants to do it for them takes the lock first, then looks at
// the state again: it may have been done.
//
// While nothing is wrong this costs one look at Run/containers, and one at
// each running container's lock.
func Orphans(d Dirs) ([]string, error) {
	entries, err := os.ReadDir(d.running())
	if errors.Is(err, os.ErrNotExist) {
		return sinceBoot(d)
	}
	if err != nil {
		return nil, fmt.Errorf("look for containers without a shim: %w", err)
	}
	var orphans []string
	for _, e := range entries {
		if !held(d, e.Name()) {
			orphans = append(orphans, e.Name())
		}
	}
	return orphans, nil
}

// sinceBoot is for the first command after a reboot: Run is empty, and every
// container that claims to run has been killed. Their run directories appear
// together, by one rename, so that none is forgotten if we are interrupted.
func sinceBoot(d Dirs) ([]string, error) {
	all, err := List(d)
	if err != nil {
		return nil, err
	}
	if err := makeDirs(d.Run); err != nil {
		return nil, err
	}
	temporary, err := os.MkdirTemp(d.Run, "containers.")
	if err != nil {
		return nil, fmt.Errorf("look for containers from before the reboot: %w", err)
	}
	defer os.RemoveAll(temporary)
	if err := os.Chmod(temporary, private); err != nil {
		return nil, fmt.Errorf("look for containers from before the reboot: %w", err)
	}
	var orphans []string
	for _, r := range all {
		if !r.State.Live() {
			continue
		}
		if err := os.Mkdir(temporary+"/"+r.ID, private); err != nil {
			return nil, fmt.Errorf("look for containers from before the reboot: %w", err)
		}
		orphans = append(orphans, r.ID)
	}
	err = os.Rename(temporary, d.running())
	if errors.Is(err, os.ErrExist) { // somebody else was first
		return Orphans(d)
	}
	if err != nil {
		return nil, fmt.Errorf("look for containers from before the reboot: %w", err)
	}
	return orphans, nil
}
