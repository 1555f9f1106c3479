package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// FollowEvents passes on events as they are told, until ctx is over; with past
// those that were told before first. Ready, if it is not nil, is called when
// nothing told from now on will be missed.
func FollowEvents(ctx context.Context, d Dirs, past bool, ready func(), each func(Event) error) error {
	if err := makeDirs(d.Run); err != nil {
		return err
	}
	watch, err := watchEvents(d)
	if err != nil {
		return fmt.Errorf("watch the events: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = watch.Close() }) // which ends a Read
	defer func() { stop(); _ = watch.Close() }()
	f := &follower{dirs: d, each: each}
	defer f.close()
	if err := f.start(past); err != nil {
		return err
	}
	if ready != nil {
		ready()
	}
	for buf := make([]byte, 4096); ; {
		if err := f.drain(); err != nil {
			return err
		}
		if _, err := watch.Read(buf); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("watch the events: %w", err)
		}
	}
}

// watchEvents is an inotify(7) descriptor that can be read when the directory
// of the events has changed.
func watchEvents(d Dirs) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	if _, err := unix.InotifyAddWatch(fd, d.Run, unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}

// follower reads one file after the other.
type follower struct {
	dirs    Dirs
	each    func(Event) error
	file    *os.File // nil while there is none
	partial []byte   // of a line whose end is still to come
}

func (f *follower) close() {
	if f.file != nil {
		_ = f.file.Close()
	}
}

// start opens the file to begin with, at its end unless the past is wanted.
func (f *follower) start(past bool) error {
	if past {
		return f.open(f.dirs.EventsPath()+".1", f.dirs.EventsPath())
	}
	err := f.open(f.dirs.EventsPath())
	if err == nil && f.file != nil {
		_, err = f.file.Seek(0, io.SeekEnd)
	}
	return err
}

// open opens the first of the paths that is there.
func (f *follower) open(paths ...string) error {
	f.close()
	f.file, f.partial = nil, nil
	for _, path := range paths {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the events: %w", err)
		}
		f.file = file
		return nil
	}
	return nil
}

// drain reads all there is. Which file comes next is asked before this one is
// read to its end: nobody writes to a file that has been put aside, but for
// those who had it open, and they are done in a moment.
func (f *follower) drain() error {
	for {
		next, err := f.next()
		if err != nil {
			return err
		}
		if err := f.lines(); err != nil {
			return err
		}
		if next == nil {
			return nil
		}
		if err := f.open(next...); err != nil || f.file == nil {
			return err
		}
	}
}

// next are the paths to go on with, nil if it is still this file's turn.
func (f *follower) next() ([]string, error) {
	path, old := f.dirs.EventsPath(), f.dirs.EventsPath()+".1"
	if f.file == nil {
		return []string{path}, nil
	}
	mine, err := f.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the events: %w", err)
	}
	if now, err := os.Stat(path); err != nil || os.SameFile(mine, now) {
		return nil, ignoreMissing(err)
	}
	if aside, err := os.Stat(old); err == nil && os.SameFile(mine, aside) {
		return []string{path}, nil
	}
	return []string{old, path}, nil // two files have been filled meanwhile
}

func (f *follower) lines() error {
	if f.file == nil {
		return nil
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := f.file.Read(buf)
		for data := buf[:n]; len(data) > 0; {
			line, rest, whole := bytes.Cut(data, []byte{'\n'})
			f.partial = append(f.partial, line...)
			if data = rest; !whole {
				break
			}
			var e Event
			damaged := json.Unmarshal(f.partial, &e) != nil
			f.partial = f.partial[:0]
			if damaged {
				continue
			}
			if err := f.each(e); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the events: %w", err)
		}
	}
}
