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
	"minictr/pkg/terminal"
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

// life is one run of the container, for those that are connected to it. A
// client sees one: when it ends the client is told so, and that was all.
type life struct {
	begun chan struct{} // closed when the container runs
	pid   int           // good after begun
	stdio *stdio        // likewise
}

// clients are all that are connected.
type clients struct {
	shim     *shim
	listener *net.UnixListener

	mu   sync.Mutex
	list []*client
	life *life         // the present one, or the next
	size terminal.Size // of the terminal, the last that was wished for
}

func newClients(s *shim) *clients { return &clients{shim: s, life: newLife()} }

func newLife() *life { return &life{begun: make(chan struct{})} }

// runs reports whether the container does.
func (l *life) runs() bool {
	select {
	case <-l.begun:
		return true
	default:
		return false
	}
}

// add adds a client to the list, and returns the container's pid if it runs.
func (cs *clients) add(c *client) int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	// A new list: output walks the old one without holding the lock.
	cs.list = append(append([]*client(nil), cs.list...), c)
	c.life = cs.life
	if !c.life.runs() {
		return 0
	}
	return c.life.pid
}

func (cs *clients) remove(c *client) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	var rest []*client
	for _, other := range cs.list {
		if other != c {
			rest = append(rest, other)
		}
	}
	cs.list = rest
}

func (cs *clients) all() []*client {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.list
}

func (cs *clients) output(t wire.Type, frame []byte) {
	for _, c := range cs.all() {
		c.output(t, frame)
	}
}

// ready tells all that the container runs; clients that come later are told
// when they come.
func (cs *clients) ready(pid int, streams *stdio) {
	cs.mu.Lock()
	cs.life.pid, cs.life.stdio = pid, streams
	list := cs.list
	close(cs.life.begun)
	cs.mu.Unlock()
	for _, c := range list {
		t := wire.Attached
		if c.starts {
			t = wire.Ready
		}
		c.send(t, wire.Running{PID: pid})
	}
}

// turn tells all clients how a run has ended. Those that come from now on wait
// for the next.
func (cs *clients) turn(exit wire.Exit) {
	cs.mu.Lock()
	list := cs.list
	cs.list, cs.life = nil, newLife()
	cs.mu.Unlock()
	for _, c := range list {
		c.last(wire.Exited, exit)
	}
}

func (cs *clients) resize(c *client, size terminal.Size) {
	cs.mu.Lock()
	cs.size = size
	cs.mu.Unlock()
	if c.life.runs() {
		c.life.stdio.resize(size)
	}
}

// serve hears what a client says, until it goes away.
func (cs *clients) serve(c *client) {
	if c.wants.Stdin {
		go cs.feed(c)
	}
	detached := false
	for !detached {
		t, payload, err := c.frames.Next()
		if err == nil {
			detached, err = cs.hear(c, t, payload)
		}
		if err != nil {
			break
		}
	}
	cs.remove(c)
	close(c.reply)
	// A client that detaches leaves the container its input, one that
	// vanishes ends it: as with a pipe whose writer is gone.
	once := cs.shim.stdinOnce() && c.wants.Stdin && !detached
	c.queue.end(once)
	c.conn.Close()
}

// hear does what one frame asks for. An error ends the connection.
func (cs *clients) hear(c *client, t wire.Type, payload []byte) (detached bool, err error) {
	s := cs.shim
	switch t {
	case wire.Stdin:
		if len(payload) == 0 || !c.wants.Stdin {
			c.queue.end(true)
			return false, nil
		}
		return false, c.queue.put(payload)
	case wire.Resize:
		var size terminal.Size
		if err := wire.Decode(payload, &size); err != nil {
			return false, err
		}
		cs.resize(c, size)
	case wire.Signal:
		var request wire.SignalRequest
		if err := wire.Decode(payload, &request); err != nil {
			return false, err
		}
		s.program.signal(unix.Signal(request.Signal))
	case wire.Alive:
		c.alive.Store(time.Now().UnixNano())
	case wire.Continue, wire.Quit:
		select {
		case c.reply <- t:
		default:
			return false, errors.New("an answer to no question")
		}
	case wire.Detach:
		return true, nil
	default:
		return false, fmt.Errorf("a frame of unknown type %q", t)
	}
	return false, nil
}

// feed passes a client's input on, and says how much has been taken. It ends
// with the client's input, or with the container's.
func (cs *clients) feed(c *client) {
	<-c.life.begun // until then there is no input, and if it fails no process
	input := &c.life.stdio.input
	var b []byte
	for {
		var over, end bool
		if b, over, end = c.queue.take(b); over {
			if end {
				input.end()
			}
			return
		}
		cs.shim.idle.touch()
		if _, err := input.Write(b); err != nil {
			return // without credit the client stops sending
		}
		c.send(wire.Credit, uint32(len(b)))
	}
}

// queue holds a client's input that the container has not taken yet.
type queue struct {
	mu    sync.Mutex
	more  sync.Cond
	b     []byte
	over  bool // nothing more comes
	close bool // and that is the end of the container's input
}

var errTooMuch = errors.New("more input than the client has credit for")

func (q *queue) put(b []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over || len(q.b)+len(b) > wire.Window {
		return errTooMuch
	}
	q.b = append(q.b, b...)
	q.wake()
	return nil
}

// end says that nothing more comes; closing, that the container's input ends
// with it.
func (q *queue) end(closing bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.over {
		q.over, q.close = true, closing
	}
	q.wake()
}

func (q *queue) wake() {
	if q.more.L == nil {
		q.more.L = &q.mu
	}
	q.more.Signal()
}

// take waits for input and returns all of it. used, which was returned the
// last time, is used again.
func (q *queue) take(used []byte) (b []byte, over, closing bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.more.L == nil {
		q.more.L = &q.mu
	}
	for len(q.b) == 0 && !q.over {
		q.more.Wait()
	}
	if len(q.b) == 0 {
		return nil, true, q.close
	}
	b, q.b = q.b, used[:0]
	return b, false, false
}

// listen waits for later clients.
func (cs *clients) listen(path string) error {
	listener, err := listenAt(path, socketName)
	if err != nil {
		return fmt.Errorf("listen for clients: %w", err)
	}
	cs.listener = listener
	go func() {
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return // closed
			}
			go cs.welcome(newClient(conn))
		}
	}()
	return nil
}

// welcome hears what a new client wants to see.
func (cs *clients) welcome(c *client) {
	cs.shim.idle.litter()
	t, payload, err := c.frames.Next()
	if err == nil && t == wire.Keep {
		cs.keep(c, payload)
		return
	}
	if err == nil && t == wire.Ask {
		cs.shim.answer(c, payload)
	}
	if err != nil || t != wire.Attach || wire.Decode(payload, &c.wants) != nil {
		c.conn.Close()
		return
	}
	if pid := cs.add(c); pid != 0 {
		c.send(wire.Attached, wire.Running{PID: pid})
	}
	cs.serve(c)
}

// close tells all clients how it ended and takes no new ones. One that comes
// just now finds the connection closed, and the answer in the record.
func (cs *clients) close(t wire.Type, message any) {
	for _, c := range cs.all() {
		c.last(t, message)
	}
	if cs.listener != nil {
		cs.listener.Close()
	}
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
