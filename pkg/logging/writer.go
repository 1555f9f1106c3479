package logging

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"time"
)

// Config says how a container's output is kept. It is plain data: what labels,
// variables and templates come to has been worked out by whoever wrote it.
type Config struct {
	Driver   string `json:"driver,omitempty"`   // "" is json-file
	Path     string `json:"path,omitempty"`     // of the file; of journald and syslog of a copy, "" for none
	MaxSize  int64  `json:"maxSize,omitempty"`  // in bytes; 0: without limit
	MaxFile  int    `json:"maxFile,omitempty"`  // how many files, the current one included; 0 means 1
	Compress bool   `json:"compress,omitempty"` // old files

	Attrs map[string]string `json:"attrs,omitempty"` // labels and variables that go with each entry
	Tag   string            `json:"tag,omitempty"`   // what others know the container's lines by

	ID    string `json:"id,omitempty"` // of the container
	Name  string `json:"name,omitempty"`
	Image string `json:"image,omitempty"`

	Address  string `json:"address,omitempty"`  // of syslog: udp://HOST:PORT, unixgram:///PATH; of journald: its socket's path
	Facility int    `json:"facility,omitempty"` // of syslog
	Format   string `json:"format,omitempty"`   // of syslog: "", rfc3164, rfc5424, rfc5424micro

	// Buffer makes the driver one that never waits: so many bytes wait for it
	// in memory, and what finds no room there is lost. 0: the container waits.
	Buffer int64 `json:"buffer,omitempty"`
}

// sink is where a driver puts whole lines. It never fails to its caller: a full
// disk must not stop the container. What could not be kept is counted and told
// by close.
type sink interface {
	// add takes a line that stays valid until add returns. Its newline is still
	// there; a line without one goes on in the next.
	add(line []byte, stream string, when time.Time)
	// flush is called when no more lines are at hand.
	flush()
	close() error
}

// Writer keeps a container's output. Its methods may be called from several
// goroutines.
type Writer struct {
	mu      sync.Mutex
	config  Config
	sink    sink
	now     func() time.Time
	streams map[string]*stream
}

// stream is what is known of one of the container's streams.
type stream struct {
	name string
	rest []byte // the beginning of a line that has not ended
}

// Open opens a container's log to be written on. It returns nil for the driver
// none; a nil Writer takes everything and keeps nothing.
func Open(c Config) (*Writer, error) {
	var s sink
	var err error
	switch c.Driver {
	case "none":
		return nil, nil
	case "", "json-file", "local":
		s, err = openFiles(c)
	case "journald":
		s, err = openJournal(c)
	case "syslog":
		s, err = openSyslog(c)
	default:
		return nil, fmt.Errorf("no logging driver %q: there are json-file, local, journald, syslog and none", c.Driver)
	}
	if err != nil {
		return nil, err
	}
	if c.Buffer > 0 {
		s = newBuffered(s, c.Buffer)
	}
	if c.Path != "" && (c.Driver == "journald" || c.Driver == "syslog") {
		if s, err = withCopy(s, c); err != nil {
			return nil, err
		}
	}
	return &Writer{config: c, sink: s, now: time.Now, streams: make(map[string]*stream, 2)}, nil
}

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
	when := w.now()
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
		w.sink.add(line, name, when)
	}
	if cap(s.rest) > batch/4 && len(s.rest) == 0 {
		s.rest = nil // an idle shim does not keep the room of a long line
	}
	w.sink.flush()
}

// cut takes the next line from piece. A line is whole if it ends with a
// newline, or if with what came before it fills maxLine. The newline counts:
// that of a line of maxLine bytes is an entry by itself, as docker has it.
func (s *stream) cut(piece []byte) (line, rest []byte, whole bool) {
	room := maxLine - len(s.rest)
	near := piece[:min(len(piece), room)]
	if i := bytes.IndexByte(near, '\n'); i >= 0 {
		return piece[:i+1], piece[i+1:], true
	}
	if len(piece) >= room {
		return piece[:room], piece[room:], true
	}
	return piece, nil, false
}

// Close writes what has not ended with a newline, and reports whether
// everything the container printed was kept.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	when := w.now()
	for _, name := range []string{Stdout, Stderr} {
		if s := w.streams[name]; s != nil && len(s.rest) > 0 {
			w.sink.add(s.rest, name, when)
			s.rest = nil
		}
	}
	w.sink.flush()
	return w.sink.close()
}

// losses counts entries that were not kept.
type losses struct {
	count int
	err   error // why the first of them was not
}

func (l *losses) add(n int, err error) {
	l.count += n
	if l.err == nil {
		l.err = err
	}
}

func (l *losses) report(err error) error {
	if l.count > 0 {
		return fmt.Errorf("%d lines of the container's log are lost: %w", l.count, l.err)
	}
	return err
}

// old is the path of the i-th oldest file; the current one is number 0.
func old(path string, i int) string {
	if i == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, i)
}

// packed is the path of an old file that has been compressed.
func packed(path string, i int) string { return old(path, i) + ".gz" }

// find looks for the i-th oldest file, compressed or not.
func find(path string, i int) (string, os.FileInfo, error) {
	name := old(path, i)
	info, err := os.Stat(name)
	if err != nil && i > 0 && os.IsNotExist(err) {
		name = packed(path, i)
		info, err = os.Stat(name)
	}
	return name, info, err
}
