package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// All locks are flock(2) on an open file: the kernel drops them with their
// process, however it ends, so a dead owner never has to be guessed at. Three
// kinds are used:
//
//   - index.lock: shared while a container claims an image, exclusive while
//     the index changes or garbage goes;
//   - a workspace (a directory `….partial`): held by the one who unpacks there;
//   - a lease: shared, on a blob or on a layer's record, by everybody who found
//     it present and counts on it until the index mentions it.

// flock waits for the lock. It has no context: these waits last as long as an
// index update.
func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// tryLock takes an exclusive lock or tells that somebody has one.
func tryLock(f *os.File) (bool, error) {
	err := flock(f, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// stillAt tells whether path is f and not something made later: a lock on a
// file that was removed or renamed protects nothing.
func stillAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
}

// lockIndex opens the index for reading (LOCK_SH) or changing (LOCK_EX).
// Closing the file unlocks.
func (s *Store) lockIndex(how int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.images, "index.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the image index: %w", err)
	}
	if err := flock(f, how); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the image index: %w", err)
	}
	return f, nil
}

// lease keeps path, a blob or a layer's record, from being collected until the
// file is closed. fs.ErrNotExist when it is not there.
func lease(path string) (*os.File, error) {
	for {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		if err := flock(f, unix.LOCK_SH); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lease %s: %w", path, err)
		}
		if stillAt(f, path) {
			return f, nil
		}
		_ = f.Close() // collected while we waited
	}
}

// workspace is a directory that one process fills: owned as long as it is
// open, free for anybody to clear away afterwards.
type workspace struct {
	dir  string
	lock *os.File
	kept bool // renamed to where it belongs
}

const partialSuffix = ".partial"

// openWorkspace makes the directory, or takes over what a dead owner left,
// emptied. A live owner is waited for.
func openWorkspace(ctx context.Context, dir string) (*workspace, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		w, err := tryWorkspace(dir)
		if w != nil || err != nil {
			return w, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another process to unpack %s: %w", filepath.Base(dir), ctx.Err())
		case <-time.After(pause):
		}
	}
}

// tryWorkspace returns nil and no error when the directory has an owner.
func tryWorkspace(dir string) (*workspace, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make a workspace: %w", err)
	}
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // its owner was just done
	}
	if err != nil {
		return nil, fmt.Errorf("open workspace: %w", err)
	}
	ok, err := tryLock(f)
	if !ok || err != nil || !stillAt(f, dir) {
		_ = f.Close()
		return nil, err
	}
	w := &workspace{dir: dir, lock: f}
	if err := w.clear(); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *workspace) clear() error {
	left, err := os.ReadDir(w.dir)
	if err != nil {
		return fmt.Errorf("look into workspace: %w", err)
	}
	for _, e := range left {
		if err := os.RemoveAll(filepath.Join(w.dir, e.Name())); err != nil {
			return fmt.Errorf("clear what an interrupted process left: %w", err)
		}
	}
	return nil
}

func (w *workspace) path(name string) string { return filepath.Join(w.dir, name) }

// close gives the directory up: it is removed unless it was kept. The order
// matters: once unlocked it is somebody else's.
func (w *workspace) close() error {
	var err error
	if !w.kept { // else the name may be another owner's by now
		err = os.RemoveAll(w.dir)
	}
	return errors.Join(err, w.lock.Close())
}
