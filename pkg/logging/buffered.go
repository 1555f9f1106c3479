package logging

import (
	"errors"
	"sync"
	"time"
)

// buffered lets a container go on while its driver is slow (docker's
// mode=non-blocking). Lines wait in memory, up to a number of bytes; those that
// find no room are lost.
type buffered struct {
	sink sink
	max  int64

	mu     sync.Mutex
	more   sync.Cond
	queue  []waiting
	bytes  int64
	lost   losses
	ending bool
	done   chan struct{}
}

type waiting struct {
	line   []byte
	stream string
	when   time.Time
}

var errNoRoom = errors.New("the driver was too slow, and the buffer is full")

func newBuffered(s sink, size int64) *buffered {
	b := &buffered{sink: s, max: size, done: make(chan struct{})}
	b.more.L = &b.mu
	go b.work()
	return b
}

func (b *buffered) add(line []byte, stream string, when time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes+int64(len(line)) > b.max && len(b.queue) > 0 {
		b.lost.add(1, errNoRoom)
		return
	}
	b.queue = append(b.queue, waiting{append([]byte(nil), line...), stream, when})
	b.bytes += int64(len(line))
}

func (b *buffered) flush() { b.more.Signal() }

// work hands lines on, until close.
func (b *buffered) work() {
	defer close(b.done)
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for len(b.queue) == 0 && !b.ending {
			b.more.Wait()
		}
		if len(b.queue) == 0 {
			return
		}
		list := b.queue
		b.queue = nil
		b.mu.Unlock()
		for _, w := range list {
			b.sink.add(w.line, w.stream, w.when)
			b.mu.Lock()
			b.bytes -= int64(len(w.line)) // room for others as soon as it has gone
			b.mu.Unlock()
		}
		b.sink.flush()
		b.mu.Lock()
	}
}

func (b *buffered) close() error {
	b.mu.Lock()
	b.ending = true
	b.more.Signal()
	b.mu.Unlock()
	<-b.done
	return errors.Join(b.lost.report(nil), b.sink.close())
}
