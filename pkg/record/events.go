package record

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// What happens to containers is told in a file, Run/events, an event a line, as
// docker's daemon tells it to its clients. There is no daemon here: whoever
// does something appends a line. One write to a file opened with O_APPEND is
// never mixed with another's (write(2)), so nobody needs a lock for that.
//
// The file is kept below a size: who finds it full renames it to events.1. A
// follower sees that the name means another file by then, and goes on there.

// Event is something that happened, in docker's words and with its fields.
type Event struct {
	Status string `json:"status,omitempty"` // the action again, for containers
	ID     string `json:"id,omitempty"`     // likewise the actor's ID
	From   string `json:"from,omitempty"`   // likewise its image
	Type   string `json:"Type"`             // container, image, volume, network
	Action string `json:"Action"`
	Actor  Actor  `json:"Actor"`
	Scope  string `json:"scope,omitempty"`
	Time   int64  `json:"time,omitempty"`     // seconds since 1970
	Nano   int64  `json:"timeNano,omitempty"` // the same in nanoseconds
}

// Actor is whom an event is about.
type Actor struct {
	ID         string            `json:"ID"`
	Attributes map[string]string `json:"Attributes"`
}

// appendJSON is what encoding/json makes of an event, without its having to study
// what an event is: short commands tell of two or three.
func (e Event) appendJSON(b []byte) []byte {
	member := func(name, value string) {
		b = append(quote(append(b, `"`+name+`":`...), value), ',')
	}
	b = append(b, '{')
	for _, optional := range [][2]string{{"status", e.Status}, {"id", e.ID}, {"from", e.From}} {
		if optional[1] != "" {
			member(optional[0], optional[1])
		}
	}
	member("Type", e.Type)
	member("Action", e.Action)
	b = append(b, `"Actor":{`...)
	member("ID", e.Actor.ID)
	b = append(b, `"Attributes":{`...)
	for i, name := range slices.Sorted(maps.Keys(e.Actor.Attributes)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(append(quote(b, name), ':'), e.Actor.Attributes[name])
	}
	b = append(b, "}},"...)
	member("scope", e.Scope)
	return fmt.Appendf(b, `"time":%d,"timeNano":%d}`, e.Time, e.Nano)
}

func quote(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // the error is that of a character that is none, which is replaced
	return b
}

// EventsPath is the file that events are appended to; events.1 beside it has
// those before.
func (d Dirs) EventsPath() string { return filepath.Join(d.Run, "events") }

// maxEvents is the size in bytes from which on a new file is begun.
var maxEvents int64 = 4 << 20

// Tell appends events, by one write; their times are filled in if they are
// missing.
func Tell(d Dirs, events ...Event) error {
	var lines []byte
	for _, e := range events {
		if e.Nano == 0 {
			now := time.Now()
			e.Time, e.Nano = now.Unix(), now.UnixNano()
		}
		if e.Scope == "" {
			e.Scope = "local"
		}
		lines = append(e.appendJSON(lines), '\n')
	}
	path := d.EventsPath()
	fd, err := openEvents(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeDirs(d.Run); err == nil {
			fd, err = openEvents(path)
		}
	}
	if err == nil {
		err = errors.Join(kernel.WriteAll(fd, lines), unix.Close(fd))
	}
	if err != nil {
		return fmt.Errorf("tell of an event: %w", err)
	}
	return nil
}

// TellContainer tells what happened to a container (ContainerEvent).
func TellContainer(d Dirs, id, action string, about, more map[string]string) error {
	return Tell(d, ContainerEvent(id, action, about, more))
}

// ContainerEvent is something that happened to a container. About are its
// attributes (name, image, labels), more what belongs to this action alone.
func ContainerEvent(id, action string, about, more map[string]string) Event {
	attributes := maps.Clone(about)
	if attributes == nil {
		attributes = make(map[string]string)
	}
	maps.Copy(attributes, more)
	return Event{
		Status: action, ID: id, From: about["image"], Type: "container", Action: action, Actor: Actor{id, attributes},
	}
}

// VolumeEvent is something that happened to a volume.
func VolumeEvent(name, action string) Event {
	return Event{Type: "volume", Action: action, Actor: Actor{name, map[string]string{"driver": "local"}}}
}

// openEvents opens the file, a new one if the old one is full; see [kernel.Load]
// for why not by package os.
func openEvents(path string) (int, error) {
	for {
		fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return -1, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		var about unix.Stat_t
		err = unix.Fstat(fd, &about)
		if err == nil && about.Size < maxEvents {
			return fd, nil
		}
		f := os.NewFile(uintptr(fd), path)
		if err == nil {
			err = rotateEvents(f, path)
		}
		f.Close()
		if err != nil {
			return -1, err
		}
	}
}

// rotateEvents puts the full file aside. Others may find it full at the same
// moment: the first to have its lock does it, for the rest it is done.
func rotateEvents(f *os.File, path string) error {
	if err := flockWait(f); err != nil {
		return err
	}
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(path)
	if err != nil || !os.SameFile(mine, there) {
		return ignoreMissing(err)
	}
	return os.Rename(path, path+".1")
}

// Events reads what has been told so far, the oldest first. A line that was
// torn, because the machine or the disk gave up, is left out.
func Events(d Dirs, each func(Event) error) (err error) {
	for _, path := range []string{d.EventsPath() + ".1", d.EventsPath()} {
		f, oerr := os.OpenFile(path, os.O_RDONLY|unix.O_CLOEXEC, 0)
		if errors.Is(oerr, fs.ErrNotExist) {
			continue
		}
		if oerr != nil {
			return fmt.Errorf("read the events: %w", oerr)
		}
		err = readEvents(f, each)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func readEvents(f *os.File, each func(Event) error) error {
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, 64<<10), 1<<20)
	for lines.Scan() {
		var e Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		if err := each(e); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the events: %w", err)
	}
	return nil
}
