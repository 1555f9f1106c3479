package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
	"minictr/pkg/terminal"
)

// ErrDetached ends a session whose user typed the detach keys. The container
// runs on.
var ErrDetached = errors.New("detached")

// Patience is how often a user asks a command to end (SIGINT, SIGTERM) that
// passes this on to a container: by then the container does not listen, and the
// command ends without it.
const Patience = 3

// Asked counts how often a user has asked.
type Asked int

// Enough counts a signal that the user has sent, and reports whether it is the
// one that ends the patience.
func (a *Asked) Enough(sig os.Signal) bool {
	if sig == unix.SIGINT || sig == unix.SIGTERM {
		*a++
	}
	return *a == Patience
}

// ErrForced ends a session whose user has lost patience. The container runs on.
var ErrForced = fmt.Errorf("got %d SIGTERM/SIGINTs, forcefully exiting", Patience)

// Session is a connection to a container's shim.
type Session struct {
	streams  Streams
	conn     *net.UnixConn
	frames   *wire.Reader
	observe  func(step.Event)
	pause    func(wire.PausePoint) error
	lostShim func() error
	ended    func() (wire.Exit, error)

	ctx    context.Context // of the session's goroutines
	cancel context.CancelFunc
	ready  chan struct{} // closed when the container runs
	done   chan struct{} // closed when nothing more comes
	pid    int           // good after ready

	// Good after done.
	exit    *wire.Exit
	failure error

	credit   credit
	printing atomic.Int64 // since when a piece of output has been on its way to the user; 0: none is
	detached atomic.Bool
	forced   atomic.Bool

	sending sync.Mutex

	tty     sync.Mutex
	restore func() error // puts the user's terminal back; nil: it is as it was
	closed  bool         // and stays so
}

func newSession(conn *net.UnixConn, streams Streams) *Session {
	s := &Session{
		streams: streams, conn: conn, frames: wire.NewReader(conn),
		ready: make(chan struct{}), done: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.credit.free = wire.Window
	return s
}

// begin says what is wanted and waits until the container runs.
func (s *Session) begin(ctx context.Context, t wire.Type, request any) (*Session, error) {
	if s.streams.SigProxy && s.streams.Terminal == nil && s.pause == nil {
		s.proxySignals()
	}
	if err := s.send(t, request); err != nil {
		s.Close()
		return nil, fmt.Errorf("talk to the container's shim: %w", err)
	}
	go s.guard(s.follow)
	select {
	case <-s.ready:
		return s, nil
	case <-ctx.Done():
		s.Close()
		return nil, ctx.Err()
	case <-s.done:
	}
	select {
	case <-s.ready: // it ran, and was as quick
		return s, nil
	default:
	}
	defer s.Close()
	if s.failure == nil && s.exit != nil {
		return nil, ErrNotRunning // it ended while we connected
	}
	return nil, s.failure
}

// PID is the container's first process, in our pid namespace.
func (s *Session) PID() int { return s.pid }

// Wait waits until the container has ended and all its output has been
// written, or until the user detaches (ErrDetached), and gives the user's
// terminal back.
func (s *Session) Wait(ctx context.Context) (wire.Exit, error) {
	defer s.Close()
	select {
	case <-s.done:
	case <-ctx.Done():
		return wire.Exit{}, ctx.Err()
	}
	switch {
	case s.detached.Load():
		return wire.Exit{}, ErrDetached
	case s.forced.Load():
		return wire.Exit{}, ErrForced
	case s.exit != nil:
		return *s.exit, s.failure
	}
	// The shim ended without a word to us. It may have given up on a process
	// that was stopped, and then the record says how it went.
	if exit, err := s.ended(); err == nil {
		return exit, nil
	}
	return wire.Exit{}, s.lostShim()
}

// Close ends the session, and leaves the container alone. The user's terminal
// is as it was before.
func (s *Session) Close() {
	s.cancel()
	s.giveBack()
	s.conn.Close()
}

func (s *Session) giveBack() {
	s.tty.Lock()
	defer s.tty.Unlock()
	s.closed = true
	if s.restore != nil {
		_ = s.restore() // a terminal that is gone needs no restoring
		s.restore = nil
	}
}

// takeTerminal puts the user's terminal into raw mode.
func (s *Session) takeTerminal() error {
	s.tty.Lock()
	defer s.tty.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	var err error
	s.restore, err = terminal.Raw(s.streams.Terminal)
	return err
}

// guard runs one of the session's goroutines. If it panics, the user shall be
// able to read why.
func (s *Session) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			s.giveBack()
			panic(p)
		}
	}()
	f()
}

// Resize tells the container a new size of its terminal.
func (s *Session) Resize(size terminal.Size) { _ = s.send(wire.Resize, size) }

// Signal sends a signal to the container's first process. While the container
// is being made the shim keeps it.
func (s *Session) Signal(sig syscall.Signal) error {
	return s.send(wire.Signal, wire.SignalRequest{Signal: int(sig)})
}

// Detach ends the session at the user's wish.
func (s *Session) Detach() {
	s.detached.Store(true)
	_ = s.send(wire.Detach, nil)
	_ = s.conn.CloseRead() // wakes follow
}

func (s *Session) send(t wire.Type, message any) error {
	b, err := wire.Encode(t, message)
	if err != nil {
		return err
	}
	return s.sendFrame(b)
}

func (s *Session) sendFrame(b []byte) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	_, err := s.conn.Write(b)
	return err
}

// follow does what the shim says, until nothing more comes.
func (s *Session) follow() {
	defer close(s.done)
	defer s.cancel()
	for {
		t, payload, err := s.frames.Next()
		if err == nil {
			err = s.hear(t, payload)
		}
		if err != nil {
			if s.failure == nil && s.exit == nil {
				s.failure = s.lostShim()
			}
			return
		}
	}
}

func (s *Session) hear(t wire.Type, payload []byte) error {
	switch t {
	case wire.Stdout:
		s.print(s.streams.Stdout, payload)
	case wire.Stderr:
		s.print(s.streams.Stderr, payload)
	case wire.Credit:
		var n uint32
		if err := wire.Decode(payload, &n); err != nil {
			return err
		}
		s.credit.give(int(n))
	case wire.Ready, wire.Attached:
		var r wire.Running
		if err := wire.Decode(payload, &r); err != nil {
			return err
		}
		return s.runs(r.PID)
	case wire.Exited:
		s.exit = new(wire.Exit)
		return wire.Decode(payload, s.exit)
	case wire.Failed:
		failure := new(wire.Failure)
		s.failure = failure
		return wire.Decode(payload, failure)
	case wire.Event:
		var e step.Event
		if err := wire.Decode(payload, &e); err != nil {
			return err
		}
		s.observe(e)
	case wire.Pause:
		return s.answer(payload)
	case wire.Lost:
		var n uint64
		if err := wire.Decode(payload, &n); err != nil {
			return err
		}
		if s.streams.Lost != nil {
			s.streams.Lost(n)
		}
	}
	return nil
}

func (s *Session) answer(payload []byte) error {
	var p wire.PausePoint
	if err := wire.Decode(payload, &p); err != nil {
		return err
	}
	t := wire.Continue
	if err := s.pause(p); err != nil {
		t = wire.Quit
	}
	return s.send(t, nil)
}

// print writes a piece of output. After an error the rest of that stream is
// dropped: the container's end is still worth waiting for.
func (s *Session) print(w io.Writer, b []byte) {
	if w == nil {
		return
	}
	s.printing.Store(time.Now().UnixNano())
	_, err := w.Write(b)
	s.printing.Store(0)
	if err == nil {
		return
	}
	if s.failure == nil {
		s.failure = fmt.Errorf("write the container's output: %w", err)
	}
	if w == s.streams.Stdout {
		s.streams.Stdout = nil
	}
	if w == s.streams.Stderr {
		s.streams.Stderr = nil
	}
}

// runs begins what only makes sense with a running container. Until now the
// terminal was the user's: there may have been something to explain.
func (s *Session) runs(pid int) error {
	s.pid = pid
	if tty := s.streams.Terminal; tty != nil {
		if err := s.takeTerminal(); err != nil {
			return err
		}
		s.leaveCleanly()
		go s.guard(func() { terminal.Follow(s.ctx, tty, s.Resize) })
	}
	if s.streams.Stdin != nil {
		// Ends with the input, the session's connection, or the process: a
		// read from a terminal cannot be called back.
		go s.guard(s.input)
	}
	if s.streams.Stdout != nil || s.streams.Stderr != nil {
		go s.guard(s.beat)
	}
	close(s.ready)
	return nil
}

// beat tells the shim that we are alive when output does not get away because
// whoever reads it is slow. A shim that hears nothing takes us for stopped.
func (s *Session) beat() {
	const interval = 3 * time.Second
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-tick.C:
			if since := s.printing.Load(); since != 0 && now.Sub(time.Unix(0, since)) >= interval/2 {
				_ = s.send(wire.Alive, nil)
			}
		}
	}
}

// leaveCleanly gives the terminal back when this process is asked to end, and
// then ends it the way it was asked.
func (s *Session) leaveCleanly() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT)
	go s.guard(func() {
		defer signal.Stop(signals)
		select {
		case <-s.ctx.Done():
		case sig := <-signals:
			s.giveBack()
			signal.Reset(sig)
			_ = unix.Kill(os.Getpid(), sig.(syscall.Signal))
		}
	})
}
