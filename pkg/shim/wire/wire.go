// Package wire is what a shim and its clients say to each other: frames over a
// unix stream socket.
//
// A frame is a byte that tells its type, the length of its payload in four
// bytes, the big end first, and the payload: bytes of a stream, or a message
// in JSON. Both sides drop a connection that breaks these rules.
//
// A client says [Start] (to the shim it has started, through a descriptor it
// inherits) or [Attach] (to one that listens). Then come streams and messages,
// and at last the shim says [Exited] or [Failed] and closes. Or it says [Ask],
// and the [Answer] is all.
//
// Output is paced by the socket itself: a shim whose client does not read
// waits, and the container with it, as with any pipe. Input is not, for signals
// must get past input that the container does not read: a client sends at most
// [Window] bytes that the shim has not given [Credit] for.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Type tells what a frame means.
type Type byte

// What clients say.
const (
	Start    Type = 'S' // StartRequest: make the container
	Attach   Type = 'A' // Streams: let me see
	Keep     Type = 'k' // KeepRequest: hold a terminal that I let go of
	Stdin    Type = 'i' // bytes; none at all are the end of the input
	Resize   Type = 'W' // terminal.Size
	Signal   Type = 'K' // SignalRequest
	Continue Type = 'C' // after Pause: do the step
	Quit     Type = 'Q' // after Pause: undo everything
	Detach   Type = 'D' // the rest without me
	Alive    Type = 'h' // I am slow, not stopped: somebody does not read what I print
	Ask      Type = 'q' // Request, in place of Attach: do this, and answer
)

// What the shim says.
const (
	Stdout   Type = 'o' // bytes
	Stderr   Type = 'e' // bytes
	Event    Type = 'E' // step.Event
	Pause    Type = 'P' // PausePoint
	Ready    Type = 'R' // Running: the program runs
	Attached Type = 'a' // Running: the answer to Attach and Keep
	Exited   Type = 'X' // Exit
	Failed   Type = 'F' // Failure
	Credit   Type = 'c' // four bytes: so much input has been taken
	Lost     Type = 'L' // eight bytes: so much output was left out while the client was stopped
	Answer   Type = 'r' // Reply: the answer to Ask
)

const (
	HeaderLen = 5

	// Piece is how many bytes of a stream go into one frame at most.
	Piece = 64 << 10

	// Window is how much input may be under way.
	Window = 4 * Piece

	// maxPayload bounds what a reader takes: an event may print a whole
	// environment, or a netlink message.
	maxPayload = 16 << 20
)

// Streams says which of the container's streams a client wants.
type Streams struct {
	Stdin  bool `json:"stdin,omitempty"`
	Stdout bool `json:"stdout,omitempty"`
	Stderr bool `json:"stderr,omitempty"`
}

// StartRequest is the first message of the client that started the shim.
type StartRequest struct {
	Streams
	Width   uint16 `json:"width,omitempty"` // of the terminal, if the container has one
	Height  uint16 `json:"height,omitempty"`
	Explain bool   `json:"explain,omitempty"` // send an Event for all that happens
	Pause   bool   `json:"pause,omitempty"`   // say Pause before every step, and wait

	Restarts int `json:"restarts,omitempty"` // the policy starts it, so often already

	// For tests.
	Fault    *Fault        `json:"fault,omitempty"`
	Patience time.Duration `json:"patience,omitempty"` // with clients that are stopped
}

// Fault breaks the plan at a step, or kills the shim after it.
type Fault struct {
	Step string `json:"step"`
	Kill bool   `json:"kill,omitempty"`
}

// PausePoint is where a paused plan stands.
type PausePoint struct {
	Step  string `json:"step"` // that comes next
	Index int    `json:"index"`
	PID   int    `json:"pid,omitempty"` // of the half-made container
}

// Running tells of the container's first process.
type Running struct {
	PID int `json:"pid"`
}

// KeepRequest hands over the master side of a terminal: of a process in the
// container whose user has detached from it. The kernel would hang it up if
// nobody held the master, and stop it if nobody read what it prints.
type KeepRequest struct {
	FD int `json:"fd"` // the client's, who holds it until the answer
}

// SignalRequest asks for a signal to the container's first process.
type SignalRequest struct {
	Signal int `json:"signal"`
}

// Request asks the shim for something that only it may do: it writes the
// container's state.
type Request struct {
	Do     Verb `json:"do"`
	Signal int  `json:"signal,omitempty"`

	// With DoSignal: the user wants an end, and policy unless-stopped
	// respects that; no policy starts the container again after this run.
	ByUser bool `json:"byUser,omitempty"`
	Last   bool `json:"last,omitempty"`
}

// Verb is what a Request asks for.
type Verb string

// What a shim can be asked to do.
const (
	DoSignal Verb = "signal" // send a signal to the container's first process
	DoPause  Verb = "pause"  // freeze all of its processes
	DoResume Verb = "resume" // and let them go on
	DoReload Verb = "reload" // its configuration has changed: read it again
	DoStay   Verb = "stay"   // it will be started again: not to be removed at its end, this time
)

// Reply says what became of a Request. Error is empty if it was done.
type Reply struct {
	Error string `json:"error,omitempty"`
}

// Exit is how a container ended.
type Exit struct {
	Code      int    `json:"code"`            // of the program; 128 and the signal's number if one killed it
	OOMKilled bool   `json:"oom,omitempty"`   // the memory limit killed it
	Error     string `json:"error,omitempty"` // what went wrong afterwards: undo, or the log
}

// Failure is a container that did not start, and has been undone.
type Failure struct {
	Step    string `json:"step,omitempty"`
	Call    string `json:"call,omitempty"` // the call that the kernel refused
	Errno   int    `json:"errno,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Code    int    `json:"code"` // what docker run exits with: 125, 126 or 127
}

func (f *Failure) Error() string { return f.Message }

// frame fills in the header that b begins with; the payload follows it.
func frame(b []byte, t Type) []byte {
	b[0] = byte(t)
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-HeaderLen))
	return b
}

// Buffer is a piece of a stream that becomes a frame without being copied.
type Buffer struct{ b []byte }

// NewBuffer makes a Buffer for up to Piece bytes.
func NewBuffer() *Buffer { return &Buffer{make([]byte, HeaderLen+Piece)} }

// Room is where the piece's bytes go.
func (p *Buffer) Room() []byte { return p.b[HeaderLen:] }

// Frame is the frame of type t with the first n bytes of Room. It is good
// until Room is written to again.
func (p *Buffer) Frame(t Type, n int) []byte { return frame(p.b[:HeaderLen+n], t) }

// Encode makes a frame of a message; nil has no payload.
func Encode(t Type, message any) ([]byte, error) {
	b := make([]byte, HeaderLen, 128)
	switch m := message.(type) {
	case nil:
	case uint32:
		b = binary.BigEndian.AppendUint32(b, m)
	case uint64:
		b = binary.BigEndian.AppendUint64(b, m)
	default:
		j, err := json.Marshal(message)
		if err != nil {
			return nil, fmt.Errorf("encode a message of type %q: %w", t, err)
		}
		b = append(b, j...)
	}
	return frame(b, t), nil
}

// Write sends a message in one write.
func Write(w io.Writer, t Type, message any) error {
	b, err := Encode(t, message)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// Reader reads frames.
type Reader struct {
	r      io.Reader
	header [HeaderLen]byte
	buf    []byte
}

// NewReader reads frames from r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next returns the next frame. The payload is good until the next call. io.EOF
// means that the other side closed between two frames.
func (r *Reader) Next() (Type, []byte, error) {
	if _, err := io.ReadFull(r.r, r.header[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(r.header[1:]))
	if n > maxPayload {
		return 0, nil, fmt.Errorf("a frame of %d bytes is too long", n)
	}
	if n > cap(r.buf) {
		r.buf = make([]byte, max(n, 512))
	}
	b := r.buf[:n]
	if _, err := io.ReadFull(r.r, b); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return Type(r.header[0]), b, nil
}

// Decode reads a message.
func Decode(payload []byte, message any) error {
	switch m := message.(type) {
	case *uint32:
		if len(payload) != 4 {
			return fmt.Errorf("a number of %d bytes, want 4", len(payload))
		}
		*m = binary.BigEndian.Uint32(payload)
	case *uint64:
		if len(payload) != 8 {
			return fmt.Errorf("a number of %d bytes, want 8", len(payload))
		}
		*m = binary.BigEndian.Uint64(payload)
	default:
		if err := json.Unmarshal(payload, message); err != nil {
			return fmt.Errorf("a message that is no JSON: %w", err)
		}
	}
	return nil
}
