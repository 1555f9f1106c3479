package shim

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
)

// defaultPatience is how long a client may neither take output nor say that it
// is alive before it counts as stopped, and the container goes on without it.
const defaultPatience = 10 * time.Second

// client is a command that is connected to the shim.
type client struct {
	conn     *net.UnixConn
	frames   *wire.Reader
	patience time.Duration
	starts   bool           // it has started this shim
	life     *life          // that it sees
	reply    chan wire.Type // Continue or Quit; closed when the client is gone
	queue    queue          // its input for the container

	wants wire.Streams // set before it is in the list of clients
	alive atomic.Int64 // when it last said that it is, in Unix nanoseconds

	mu   sync.Mutex // held while something is sent
	gone bool       // the connection broke
	rest []byte     // of what a stopped client has not taken
	lost uint64     // bytes of output that it missed since
}

func newClient(conn *net.UnixConn) *client {
	return &client{conn: conn, frames: wire.NewReader(conn), patience: defaultPatience, reply: make(chan wire.Type, 1)}
}

// startRequest reads what the shim is to do.
func (c *client) startRequest() (wire.StartRequest, error) {
	var request wire.StartRequest
	t, payload, err := c.frames.Next()
	switch {
	case err != nil:
		return request, fmt.Errorf("read the start request: %w", err)
	case t != wire.Start:
		return request, fmt.Errorf("the first message is %q, not a start request", t)
	}
	return request, wire.Decode(payload, &request)
}

// send sends a message. A client that is stopped gets it later.
func (c *client) send(t wire.Type, message any) { c.sendWithin(c.patience, t, message) }

// sendWithin is send with another patience; 0 waits as long as it takes.
func (c *client) sendWithin(limit time.Duration, t wire.Type, message any) {
	b, err := wire.Encode(t, message)
	if err != nil {
		fmt.Fprintln(os.Stderr, "minictr-shim:", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rest) > 0 { // after what it has not taken yet
		c.rest = append(c.rest, b...)
		return
	}
	c.write(b, limit)
}

// output sends a piece of the container's output, if the client wants it. A
// client that is stopped loses it, and will be told how much.
func (c *client) output(t wire.Type, frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || !(t == wire.Stdout && c.wants.Stdout || t == wire.Stderr && c.wants.Stderr) {
		return
	}
	if len(c.rest) > 0 && !c.catchUp() {
		c.lost += uint64(len(frame) - wire.HeaderLen)
		return
	}
	c.write(frame, c.patience)
}

// write sends b. With a limit, a client that takes nothing for so long, and
// does not say that it is alive, keeps the rest for later.
func (c *client) write(b []byte, limit time.Duration) {
	for len(b) > 0 && !c.gone {
		deadline := time.Time{}
		if limit > 0 {
			deadline = time.Now().Add(limit)
		}
		_ = c.conn.SetWriteDeadline(deadline)
		n, err := c.conn.Write(b)
		b = b[n:]
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			c.gone = true
		case n == 0 && time.Since(time.Unix(0, c.alive.Load())) > limit:
			c.rest = append([]byte(nil), b...)
			return
		}
	}
}

// catchUp tries to send the rest to a client that was stopped, without
// waiting for it.
func (c *client) catchUp() bool {
	_ = c.conn.SetWriteDeadline(time.Time{})
	raw, err := c.conn.SyscallConn()
	if err == nil {
		err = raw.Write(func(fd uintptr) bool {
			n, err := unix.Write(int(fd), c.rest)
			if n > 0 {
				c.rest = c.rest[n:]
			}
			c.gone = err != nil && err != unix.EAGAIN && err != unix.EINTR
			return true
		})
	}
	c.gone = c.gone || err != nil
	if len(c.rest) > 0 || c.gone {
		return false
	}
	c.rest = nil
	if lost, err := wire.Encode(wire.Lost, c.lost); err == nil {
		c.write(lost, c.patience)
	}
	c.lost = 0
	return len(c.rest) == 0
}

// event tells of a step or call. The plan waits for its watcher.
func (c *client) event(e step.Event) { c.sendWithin(0, wire.Event, e) }

// errQuit ends a paused plan.
var errQuit = errors.New("stopped on request; everything is undone")

// pause waits before a step until the client says to go on. A client that goes
// away meanwhile wants no more.
func (c *client) pause(p step.Pause) error {
	c.sendWithin(0, wire.Pause, wire.PausePoint{Step: p.Plan[p.Index].Name, Index: p.Index, PID: p.PID})
	if <-c.reply == wire.Continue {
		return nil
	}
	return errQuit
}

// last is the last message to a client, who may take some time to get there
// through the output that comes before.
func (c *client) last(t wire.Type, message any) {
	b, err := wire.Encode(t, message)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rest) > 0 {
		lost, _ := wire.Encode(wire.Lost, c.lost)
		b = slices.Concat(c.rest, lost, b)
		c.rest = nil
	}
	c.write(b, c.patience)
	_ = c.conn.CloseWrite()
}
