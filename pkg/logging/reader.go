package logging

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Message is one entry of a log.
type Message struct {
	Text   string    `json:"log"`
	Stream string    `json:"stream"`
	Time   time.Time `json:"time"`
}

// Options choose what Read reads.
type Options struct {
	Since, Until time.Time // zero: from the beginning, to the end
	Tail         int       // only so many entries from the end; negative: all of them

	// Follow, if it is not nil, makes Read wait for more until the channel
	// is closed: the container has ended and its log is complete.
	Follow <-chan struct{}
}

// Read passes the entries of the log at path to each, the oldest first. A log
// that is not there is empty. Entries that are damaged are left out.
func Read(ctx context.Context, path string, o Options, each func(Message) error) error {
	f, err := start(path, o.Tail)
	if err != nil {
		return fmt.Errorf("read the container's log: %w", err)
	}
	r := &reader{path: path, options: o, each: each, file: f}
	defer func() { r.file.Close() }()
	var changes *watch
	if o.Follow != nil {
		if changes, err = watchDir(path); err != nil {
			return fmt.Errorf("watch the container's log: %w", err)
		}
		defer changes.close()
	}
	for {
		complete := closed(o.Follow)
		over, err := r.drain()
		if err != nil || over || o.Follow == nil || complete {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.Follow:
		case <-changes.changed:
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// reader reads one file after the other.
type reader struct {
	path    string
	options Options
	each    func(Message) error
	file    *os.File
	partial []byte // of the last line, whose end has not been written yet
}

// drain reads what there is now, in this file and in newer ones. It reports
// over when the rest is later than asked for.
func (r *reader) drain() (over bool, err error) {
	for {
		// Which file comes next is asked before this one is read to its end:
		// once there is a newer file, nobody writes to this one any more.
		next, err := r.next()
		if err != nil {
			return false, err
		}
		over, err := r.lines()
		if next == nil || err != nil || over {
			if next != nil {
				next.Close()
			}
			return over, err
		}
		r.file.Close()
		r.file, r.partial = next, nil
	}
}

// lines passes on the rest of the current file.
func (r *reader) lines() (over bool, err error) {
	in := bufio.NewReaderSize(r.file, batch)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case err == nil && len(r.partial) == 0:
		case err == nil:
			line = append(r.partial, line...)
			r.partial = nil
		case errors.Is(err, bufio.ErrBufferFull), errors.Is(err, io.EOF):
			r.partial = append(r.partial, line...)
			if errors.Is(err, io.EOF) {
				return false, nil
			}
			continue
		default:
			return false, fmt.Errorf("read the container's log: %w", err)
		}
		if over, err := r.line(line); over || err != nil {
			return over, err
		}
	}
}

func (r *reader) line(line []byte) (over bool, err error) {
	var m Message
	if json.Unmarshal(line, &m) != nil || m.Stream == "" {
		return false, nil
	}
	if m.Time.Before(r.options.Since) {
		return false, nil
	}
	if until := r.options.Until; !until.IsZero() && m.Time.After(until) {
		return true, nil
	}
	return false, r.each(m)
}

// next opens the file that is newer than the current one, nil if there is
// none. Files move to higher numbers behind our back; ours is known by its
// inode. If it has been deleted, we go on with the oldest one left.
func (r *reader) next() (*os.File, error) {
	mine, err := r.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the container's log: %w", err)
	}
	for i := 0; ; i++ {
		info, err := os.Stat(old(r.path, i))
		switch {
		case errors.Is(err, os.ErrNotExist) && i == 0:
			return nil, nil // it is just being renamed, or there is no log
		case errors.Is(err, os.ErrNotExist):
			return openLog(old(r.path, i-1))
		case err != nil:
			return nil, fmt.Errorf("read the container's log: %w", err)
		case os.SameFile(mine, info) && i == 0:
			return nil, nil
		case os.SameFile(mine, info):
			return openLog(old(r.path, i-1))
		}
	}
}

// openLog opens a log file; one that is not there is empty.
func openLog(path string) (*os.File, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return os.Open(os.DevNull)
	}
	return f, err
}

// start opens the file to begin with, at the place to begin at.
func start(path string, tail int) (*os.File, error) {
	oldest := 0
	for {
		if _, err := os.Stat(old(path, oldest+1)); err != nil {
			break
		}
		oldest++
	}
	if tail < 0 {
		return openLog(old(path, oldest))
	}
	for i := 0; ; i++ {
		f, err := openLog(old(path, i))
		if err != nil {
			return nil, err
		}
		found, err := seekTail(f, tail)
		if err != nil {
			f.Close()
			return nil, err
		}
		if tail -= found; tail <= 0 || i == oldest {
			return f, nil
		}
		f.Close()
	}
}

// seekTail moves to where the last n lines of f begin, or to its beginning if
// there are fewer, and returns how many there are.
func seekTail(f *os.File, n int) (found int, err error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || n == 0 {
		return 0, err
	}
	buf := make([]byte, batch)
	for pos := end; pos > 0; {
		size := min(pos, int64(len(buf)))
		pos -= size
		if _, err := f.ReadAt(buf[:size], pos); err != nil {
			return 0, err
		}
		for block := buf[:size]; ; found++ {
			i := bytes.LastIndexByte(block, '\n')
			if i < 0 {
				break
			}
			if found == n { // the newline in front of the n-th line from the end
				_, err := f.Seek(pos+int64(i)+1, io.SeekStart)
				return n, err
			}
			block = block[:i]
		}
	}
	_, err = f.Seek(0, io.SeekStart)
	return found, err
}
