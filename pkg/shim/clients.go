package shim

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/shim/wire"
	"minictr/pkg/terminal"
)

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
	end  func(*client) // tells how it ended, when no other run follows; nil before
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

// add adds a client to the list, and returns the container's pid if it runs. One
// that comes too late is told how it ended.
func (cs *clients) add(c *client) int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.life = cs.life
	if cs.end != nil {
		go cs.end(c) // serve ends when the client has gone
		return 0
	}
	// A new list: output walks the old one without holding the lock.
	cs.list = append(append([]*client(nil), cs.list...), c)
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
			// The client's input has ended. The container's ends with it
			// only if it was to have no other: who attaches to one in the
			// background comes and goes.
			c.queue.end(cs.shim.stdinOnce())
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

// close tells all clients how it ended and takes no new ones. One that connects
// just now finds the connection closed, and the answer in the record.
func (cs *clients) close(t wire.Type, message any) {
	cs.mu.Lock()
	cs.end = func(c *client) { c.last(t, message) }
	list := cs.list
	cs.mu.Unlock()
	for _, c := range list {
		c.last(t, message)
	}
	if cs.listener != nil {
		cs.listener.Close()
	}
}
