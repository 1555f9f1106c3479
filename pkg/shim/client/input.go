package client

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"minictr/pkg/shim/wire"
	"minictr/pkg/terminal"
)

// input sends the user's input, as fast as the container takes it.
func (s *Session) input() {
	var keys *terminal.Keys
	if s.streams.Terminal != nil {
		keys = terminal.NewKeys(s.streams.DetachKeys)
	}
	buf := wire.NewBuffer()
	p := make([]byte, wire.Piece)
	for {
		n, err := s.streams.Stdin.Read(p)
		typed := p[:n]
		if keys != nil {
			var leave bool
			if typed, leave = keys.Filter(typed); leave {
				s.pass(buf, typed)
				s.Detach()
				return
			}
		}
		if !s.pass(buf, typed) {
			return
		}
		if err != nil {
			if keys != nil {
				s.pass(buf, keys.Flush())
			}
			_ = s.send(wire.Stdin, nil)
			return
		}
	}
}

// pass sends bytes as there is credit. It reports whether there is still
// somebody to send to.
func (s *Session) pass(buf *wire.Buffer, b []byte) bool {
	for len(b) > 0 {
		n := s.credit.take(s.ctx, min(len(b), wire.Piece))
		if n == 0 {
			return false
		}
		copy(buf.Room(), b[:n])
		if s.sendFrame(buf.Frame(wire.Stdin, n)) != nil {
			return false
		}
		b = b[n:]
	}
	return true
}

// credit is how much input may be sent.
type credit struct {
	mu   sync.Mutex
	free int
	more chan struct{} // closed when there is more, if somebody waits
}

func (c *credit) give(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free += n
	if c.more != nil {
		close(c.more)
		c.more = nil
	}
}

// take takes up to n, and waits until there is any; 0 when ctx has ended.
func (c *credit) take(ctx context.Context, n int) int {
	for {
		c.mu.Lock()
		if c.free > 0 {
			n = min(n, c.free)
			c.free -= n
			c.mu.Unlock()
			return n
		}
		if c.more == nil {
			c.more = make(chan struct{})
		}
		more := c.more
		c.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return 0
		}
	}
}

// proxySignals passes signals on to the container, until the session ends. Not
// those that are about us: our children, our terminal's window, our readers,
// Go's own, and those that stop and continue us.
func (s *Session) proxySignals() {
	signals := make(chan os.Signal, 16)
	var all []os.Signal
	for n := syscall.Signal(1); n < 32; n++ {
		switch n {
		case unix.SIGKILL, unix.SIGSTOP, unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH, unix.SIGPIPE,
			unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGCONT, unix.SIGPROF,
			unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGSYS, unix.SIGABRT:
		default:
			if !signal.Ignored(n) { // nohup's wish holds
				all = append(all, n)
			}
		}
	}
	signal.Notify(signals, all...)
	go s.guard(func() {
		defer signal.Stop(signals)
		for asked := Asked(0); ; {
			select {
			case <-s.ctx.Done():
				return
			case sig := <-signals:
				_ = s.Signal(sig.(syscall.Signal))
				if asked.Enough(sig) {
					s.forced.Store(true)
					_ = s.conn.CloseRead() // wakes follow
				}
			}
		}
	})
}
