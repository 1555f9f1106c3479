package logging

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Message is one entry of a log.
type Message struct {
	Text   string    `json:"log"`
	Stream string    `json:"stream"`
	Time   time.Time `json:"time"`

	// Attrs are labels and variables that the driver was told to keep.
	Attrs map[string]string `json:"attrs,omitempty"`
}

// Options choose what Read reads.
type Options struct {
	Driver       string    // that wrote it: json-file, if it is empty, or local, as a copy is
	Since, Until time.Time // zero: from the beginning, to the end
	Tail         int       // only so many entries from the end; negative: all of them

	// Follow, if it is not nil, makes Read wait for more until the channel
	// is closed: the container has ended and its log is complete.
	Follow <-chan struct{}
}

// Read passes the entries of the log at path to each, the oldest first. A log
// that is not there is empty. Entries that are damaged are left out.
func Read(ctx context.Context, path string, o Options, each func(Message) error) error {
	f, err := start(path, o)
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
	file    *logFile
	partial []byte // of the last entry, whose end has not been written yet
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
	next := splitLine
	if r.options.Driver == "local" {
		next = splitRecord
	}
	buf := make([]byte, batch)
	for {
		n, err := r.file.Read(buf)
		if n == 0 && errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return false, fmt.Errorf("read the container's log: %w", err)
		}
		data := buf[:n]
		if len(r.partial) > 0 {
			data = append(r.partial, data...)
		}
		for {
			entry, rest, err := next(data)
			if err != nil { // nothing behind it can be told apart
				_, err := r.file.Seek(0, io.SeekEnd)
				r.partial = nil
				return false, err
			}
			data = rest
			if entry == nil {
				break
			}
			if over, err := r.entry(entry); over || err != nil {
				return over, err
			}
		}
		r.partial = append([]byte(nil), data...)
	}
}

// splitLine cuts the first line off data. Without a whole one, line is nil.
func splitLine(data []byte) (line, rest []byte, err error) {
	i := bytes.IndexByte(data, '\n')
	if i < 0 {
		return nil, data, nil
	}
	return data[:i+1], data[i+1:], nil
}

func (r *reader) entry(b []byte) (over bool, err error) {
	var m Message
	if r.options.Driver == "local" {
		var ok bool
		if m, ok = parseRecord(b); !ok {
			return false, nil
		}
	} else if json.Unmarshal(b, &m) != nil || m.Stream == "" {
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

// logFile is a file of the log that is being read; of a compressed one, what
// was in it, in memory. It stays open as long as we must know it again: the
// kernel gives its inode to no other file until then.
type logFile struct {
	*os.File
	packed *os.File // nil if it was not compressed
}

func (f *logFile) Close() {
	_ = f.File.Close()
	if f.packed != nil {
		_ = f.packed.Close()
	}
}

// is reports whether f is the file that is called name now. If it has been
// compressed since we opened it, that is another file, which says so.
func (f *logFile) is(name string, info os.FileInfo) (bool, error) {
	open := f.File
	if f.packed != nil {
		open = f.packed
	}
	mine, err := open.Stat()
	if err != nil || os.SameFile(mine, info) {
		return err == nil, err
	}
	if f.packed != nil || !strings.HasSuffix(name, ".gz") {
		return false, nil
	}
	gz, err := os.Open(name)
	if err != nil {
		return false, nil // it has just moved on: then so has all else, and we look again
	}
	defer gz.Close()
	z, err := gzip.NewReader(gz)
	return err == nil && z.Comment == inode(mine), nil
}

// next opens the file that is newer than the current one, nil if there is
// none. Files move to higher numbers behind our back, one after the other from
// the oldest on, so for a moment a number is free.
func (r *reader) next() (*logFile, error) {
	for {
		i, err := r.number()
		if err != nil {
			return nil, fmt.Errorf("read the container's log: %w", err)
		}
		if i <= 0 {
			return nil, nil
		}
		f, err := openLog(r.path, i-1)
		if err != nil {
			return nil, fmt.Errorf("read the container's log: %w", err)
		}
		// As long as ours has not moved, neither has the one before it: what
		// we have opened is it.
		name, info, err := find(r.path, i)
		if err != nil { // ours was the oldest one and has been deleted
			return f, nil
		}
		if mine, err := r.file.is(name, info); mine && err == nil {
			return f, nil
		}
		f.Close()
	}
}

// number finds the current file by its inode. If it has been deleted, the
// number is one more than that of the oldest one left; 0 if there is no log.
func (r *reader) number() (int, error) {
	for i := 0; ; i++ {
		name, info, err := find(r.path, i)
		if errors.Is(err, os.ErrNotExist) {
			if _, _, err := find(r.path, i+1); err == nil && i > 0 {
				i = -1 // a number that is free for a moment: look again
				continue
			}
			return i, nil
		}
		if err != nil {
			return 0, err
		}
		if mine, err := r.file.is(name, info); mine || err != nil {
			return i, err
		}
	}
}

// openLog opens the i-th oldest file; one that is not there is empty.
func openLog(path string, i int) (*logFile, error) {
	for range 100 { // between looking and opening it may be compressed
		name, _, err := find(path, i)
		if errors.Is(err, os.ErrNotExist) {
			name, err = os.DevNull, nil
		}
		if err != nil {
			return nil, err
		}
		f, err := os.Open(name)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		case strings.HasSuffix(name, ".gz"):
			return unpack(f)
		}
		return &logFile{File: f}, nil
	}
	return nil, fmt.Errorf("%s comes and goes", old(path, i))
}

// unpack reads a compressed file into one in memory (memfd_create(2)), so that
// it can be read from both ends as the others.
func unpack(f *os.File) (*logFile, error) {
	fd, err := unix.MemfdCreate("log", unix.MFD_CLOEXEC)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("unpack %s: %w", f.Name(), err)
	}
	l := &logFile{os.NewFile(uintptr(fd), f.Name()), f}
	z, err := gzip.NewReader(f)
	if err == nil {
		_, err = io.Copy(l.File, z)
	}
	if err == nil {
		_, err = l.Seek(0, io.SeekStart)
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("unpack %s: %w", f.Name(), err)
	}
	return l, nil
}

// start opens the file to begin with, at the place to begin at.
func start(path string, o Options) (*logFile, error) {
	oldest, tail := 0, o.Tail
	for {
		if _, _, err := find(path, oldest+1); err != nil {
			break
		}
		oldest++
	}
	if tail < 0 {
		return openLog(path, oldest)
	}
	seek := seekTail
	if o.Driver == "local" {
		seek = seekRecords
	}
	for i := 0; ; i++ {
		f, err := openLog(path, i)
		if err != nil {
			return nil, err
		}
		found, err := seek(f.File, tail)
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
