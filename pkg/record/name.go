package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// NameError is a name that another container has.
type NameError struct{ Name, ID string }

func (e *NameError) Error() string {
	return fmt.Sprintf("the container name %q is in use by container %.12s: remove or rename that one, or choose another name", e.Name, e.ID)
}

// claim gives name to container id. The link is made by one call that fails if
// the name is taken. Links that lead nowhere are of a maker that was killed.
func claim(d Dirs, name, id string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	unlock, err := lockNames(d)
	if err != nil {
		return err
	}
	defer unlock()
	return take(d, name, id)
}

// take is claim for who has locked the names.
func take(d Dirs, name, id string) error {
	if owner, err := owner(d, name); err == nil {
		return &NameError{name, owner}
	}
	if err := ignoreMissing(os.Remove(d.name(name))); err != nil {
		return fmt.Errorf("claim the name %s: %w", name, err)
	}
	if err := os.Symlink(d.linkTarget(id), d.name(name)); err != nil {
		return fmt.Errorf("claim the name %s: %w", name, err)
	}
	return nil
}

// lockNames keeps others from taking names while we look who has one.
func lockNames(d Dirs) (unlock func(), err error) {
	if err := makeDirs(d.names()); err != nil {
		return nil, err
	}
	f, err := os.Open(d.names())
	if err == nil {
		err = flockWait(f)
	}
	if err != nil {
		return nil, fmt.Errorf("lock the names: %w", err)
	}
	return func() { f.Close() }, nil
}

func flockWait(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			return err
		}
	}
}

// owner returns the container that has name.
func owner(d Dirs, name string) (string, error) {
	target, err := os.Readlink(d.name(name))
	if err != nil {
		return "", err
	}
	id := filepath.Base(target)
	if _, err := os.Lstat(d.Container(id)); err != nil {
		return "", err
	}
	return id, nil
}

// names returns all names, by container.
func names(d Dirs) (map[string]string, error) {
	f, err := os.Open(d.names())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the names: %w", err)
	}
	defer f.Close()
	list, err := f.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list the names: %w", err)
	}
	byID := make(map[string]string, len(list))
	for _, name := range list {
		if target, err := os.Readlink(d.name(name)); err == nil {
			byID[filepath.Base(target)] = name
		}
	}
	return byID, nil
}

// NameOf is the name of container id, which was guess some time ago: one look
// if it still is.
func NameOf(d Dirs, id, guess string) string {
	if isNamed(d, id, guess) {
		return guess
	}
	byID, err := names(d)
	if err != nil || byID[id] == "" {
		return guess
	}
	return byID[id]
}

func isNamed(d Dirs, id, name string) bool {
	if CheckName(name) != nil {
		return false
	}
	target, err := os.Readlink(d.name(name))
	return err == nil && filepath.Base(target) == id
}

// release gives up all names of container id.
func release(d Dirs, id string) error {
	unlock, err := lockNames(d)
	if err != nil {
		return err
	}
	defer unlock()
	byID, err := names(d)
	if err != nil {
		return err
	}
	if name, ok := byID[id]; ok {
		if err := ignoreMissing(os.Remove(d.name(name))); err != nil {
			return fmt.Errorf("give up the name %s: %w", name, err)
		}
	}
	return nil
}

// Rename gives a container another name.
func Rename(d Dirs, id, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	unlock, err := lockNames(d)
	if err != nil {
		return err
	}
	defer unlock()
	byID, err := names(d)
	if err != nil {
		return err
	}
	if err := take(d, name, id); err != nil {
		return err
	}
	if old, ok := byID[id]; ok {
		if err := ignoreMissing(os.Remove(d.name(old))); err != nil {
			return fmt.Errorf("give up the name %s: %w", old, err)
		}
	}
	return nil
}

// NotFoundError is a reference to a container that does not exist.
type NotFoundError struct{ Ref string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("No such container: %s", e.Ref) }

// Resolve finds a container by its name, its ID, or the beginning of an ID
// that no other container's has.
func Resolve(d Dirs, ref string) (string, error) {
	asked := ref
	ref = strings.TrimPrefix(ref, "/") // as inspect prints names
	if asked == "" {
		return "", errors.New("invalid container name or ID: it is empty")
	}
	if ref == "" || strings.Contains(ref, "/") {
		return "", &NotFoundError{asked}
	}
	if id, err := owner(d, ref); err == nil && exists(d, id) {
		return id, nil
	}
	if checkID(ref) == nil && exists(d, ref) {
		return ref, nil
	}
	entries, err := os.ReadDir(d.containers())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("look for container %s: %w", ref, err)
	}
	found := ""
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ref) || !exists(d, e.Name()) {
			continue
		}
		if found != "" {
			return "", fmt.Errorf("multiple IDs found with provided prefix: %s: give more of it", ref)
		}
		found = e.Name()
	}
	if found == "" {
		return "", &NotFoundError{ref}
	}
	return found, nil
}

// exists reports whether id is a container, and not one being made.
func exists(d Dirs, id string) bool {
	_, err := os.Lstat(d.config(id))
	return err == nil
}
