package transfer

import (
	"minictr/pkg/image"
	"minictr/pkg/image/digest"
	"minictr/pkg/image/ocispec"
)

// Options of a pull; the zero value works.
type Options struct {
	Platform ocispec.Platform // zero: this machine's
	Progress func(Event)      // called from one goroutine at a time; must not block for long
}

// State is where a layer is.
type State string

const (
	Pending     State = "pending"     // known from the manifest
	Waiting     State = "waiting"     // another process has it in hand
	Downloading State = "downloading" // and unpacking, as it comes
	Retrying    State = "retrying"    // the connection broke
	Exists      State = "exists"      // it was in the store
	Done        State = "done"
)

// Event is one step of one layer's progress.
type Event struct {
	Layer   digest.Digest `json:"layer"`
	State   State         `json:"state"`
	Current int64         `json:"current,omitempty"` // bytes so far
	Total   int64         `json:"total,omitempty"`   // bytes promised
}

// message is one line of what the program prints.
type message struct {
	Event *Event        `json:"event,omitempty"`
	Image digest.Digest `json:"image,omitempty"` // the ID: it is there
	Error string        `json:"error,omitempty"`
	Kind  string        `json:"kind,omitempty"` // of the error
}

// kinds are the errors that callers decide by.
var kinds = []struct {
	name string
	err  error
}{
	{"not found", image.ErrNotFound},
	{"platform", image.ErrPlatform},
	{"unreachable", image.ErrUnreachable},
	{"unauthorized", image.ErrUnauthorized},
	{"digest", image.ErrDigest},
}

// failure is an error of the other program's.
type failure struct {
	text string
	kind error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.kind }
