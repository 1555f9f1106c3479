package shim_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"
)

func withInput(b *box) { b.config.Stdin, b.config.StdinOnce = true, true }

func contextFor(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// waitFor waits until something is so, for some seconds at most.
func waitFor(t testing.TB, so func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("that did not happen in time")
		}
	}
}

// endless is an input that always has more.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// watcher is an output that tells when something has been printed.
type watcher struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	want  string
	found chan struct{}
}

func newWatcher(want string) *watcher { return &watcher{want: want, found: make(chan struct{})} }

func (w *watcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf.Write(b)
	if w.want != "" && bytes.Contains(w.buf.Bytes(), []byte(w.want)) {
		close(w.found)
		w.want = ""
	}
	return len(b), nil
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

func (w *watcher) wait(t testing.TB) {
	t.Helper()
	select {
	case <-w.found:
	case <-time.After(10 * time.Second):
		t.Fatalf("not printed in time: %q; what was: %q", w.want, w)
	}
}
