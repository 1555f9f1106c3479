package shim

import (
	"errors"
	"sync"

	"minictr/pkg/shim/wire"
)

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
