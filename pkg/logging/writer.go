package logging

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Config says how a container's output is kept.
type Config struct {
	Driver  string `json:"driver,omitempty"`  // "json-file" (also if empty) or "none"
	Path    string `json:"path,omitempty"`    // of the json-file
	MaxSize int64  `json:"maxSize,omitempty"` // in bytes; 0: without limit
	MaxFile int    `json:"maxFile,omitempty"` // how many files, the current one included; 0 means 1
}

// Writer keeps a container's output. Its methods may be called from several
// goroutines. It never fails to its caller: a full disk must not stop the
// container. What could not be written is counted and told by Close.
type Writer struct {
	mu      sync.Mutex
	config  Config
	file    *os.File
	size    int64
	now     func() time.Time
	streams map[string]*stream
	buf     []byte // encoded lines on their way into the file
	failed  int    // entries that were not written
	err     error  // why the first of them was not
}

// stream is what is known of one of the container's streams.
type stream struct {
	name string
	rest []byte // the beginning of a line that has not ended
}

// Open opens a container's log to be written on. It returns nil for the driver
// none; a nil Writer takes everything and keeps nothing.
func Open(c Config) (*Writer, error) {
	switch c.Driver {
	case "none":
		return nil, nil
	case "", "json-file":
	default:
		return nil, fmt.Errorf("no logging driver %q: there are json-file and none", c.Driver)
	}
	w := &Writer{config: c, now: time.Now, streams: make(map[string]*stream, 2)}
	if err := w.open(); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *Writer) open() error {
	f, err := os.OpenFile(w.config.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("open the container's log: %w", err)
	}
	end, err := f.Seek(0, 2)
	if err != nil {
		f.Close()
		return fmt.Errorf("find the end of the container's log: %w", err)
	}
	w.file, w.size = f, end
	return nil
}

// batch is how many encoded bytes are collected for one write.
const batch = 64 << 10

// Write takes a piece of what the container printed to a stream.
func (w *Writer) Write(name string, piece []byte) {
	if w == nil || len(piece) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.streams[name]
	if s == nil {
		s = &stream{name: name}
		w.streams[name] = s
	}
	var buf [40]byte
	when := appendTime(buf[:0], w.now())
	for len(piece) > 0 {
		line, rest, whole := s.cut(piece)
		piece = rest
		if !whole {
			s.rest = append(s.rest, line...)
			break
		}
		if len(s.rest) > 0 {
			s.rest = append(s.rest, line...)
			line = s.rest
			s.rest = s.rest[:0]
		}
		w.add(line, name, when)
	}
	if cap(s.rest) > batch/4 && len(s.rest) == 0 {
		s.rest = nil // an idle shim does not keep the room of a long line
	}
	w.flush()
}

// cut takes the next line from piece. A line is whole if it ends with a
// newline, or if with what came before it fills maxLine.
func (s *stream) cut(piece []byte) (line, rest []byte, whole bool) {
	room := maxLine - len(s.rest)
	near := piece[:min(len(piece), room+1)]
	// The newline does not count: a line of maxLine bytes and a newline is one.
	if i := bytes.IndexByte(near, '\n'); i >= 0 {
		return piece[:i+1], piece[i+1:], true
	}
	if len(piece) > room {
		return piece[:room], piece[room:], true
	}
	return piece, nil, false
}

func (w *Writer) add(line []byte, name string, when []byte) {
	w.buf = appendEntry(w.buf, line, name, when)
	full := w.config.MaxSize > 0 && w.size+int64(len(w.buf)) >= w.config.MaxSize
	if full || len(w.buf) >= batch {
		w.flush()
	}
}

// flush writes the collected lines with one call. A file ends with a whole
// line: what was written of lines that did not fit is cut off again.
func (w *Writer) flush() {
	if len(w.buf) == 0 {
		return
	}
	if w.config.MaxSize > 0 && w.size >= w.config.MaxSize {
		if err := w.rotate(); err != nil {
			w.fail(err)
			return
		}
	}
	n, err := w.file.Write(w.buf)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, w.file.Truncate(w.size))
		}
		w.fail(err)
		return
	}
	w.size += int64(n)
	w.buf = w.buf[:0]
}

func (w *Writer) fail(err error) {
	w.failed += bytes.Count(w.buf, []byte{'\n'})
	if w.err == nil {
		w.err = err
	}
	w.buf = w.buf[:0]
}

// rotate starts a new file and keeps MaxFile-1 of the old ones.
func (w *Writer) rotate() error {
	if err := w.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	path, n := w.config.Path, max(w.config.MaxFile, 1)
	for i := n - 1; i > 0; i-- {
		if err := os.Rename(old(path, i-1), old(path, i)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return errors.Join(err, w.open())
		}
	}
	if n == 1 {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return errors.Join(err, w.open())
		}
	}
	return w.open()
}

// old is the path of the i-th oldest file; the current one is number 0.
func old(path string, i int) string {
	if i == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, i)
}

// Close writes what has not ended with a newline, and reports whether
// everything the container printed was kept.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	when := appendTime(nil, w.now())
	for _, name := range []string{Stdout, Stderr} {
		if s := w.streams[name]; s != nil && len(s.rest) > 0 {
			w.add(s.rest, name, when)
			s.rest = nil
		}
	}
	w.flush()
	err := w.file.Close()
	if w.failed > 0 {
		err = fmt.Errorf("%d lines of the container's log are lost: %w", w.failed, w.err)
	}
	return err
}
