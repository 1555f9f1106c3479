package logging

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// readAll joins what Read passes on.
func readAll(t testing.TB, path string, o Options) string {
	t.Helper()
	var b strings.Builder
	err := Read(context.Background(), path, o, func(m Message) error {
		b.WriteString(m.Text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// numbers writes lines 0 to n-1, each a second later than the one before.
func numbers(t testing.TB, c Config, n int) *Writer {
	t.Helper()
	w := open(t, c)
	for i := range n {
		w.now = func() time.Time { return noon.Add(time.Duration(i) * time.Second) }
		w.Write(Stdout, fmt.Appendf(nil, "%d\n", i))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestTheTailReachesIntoOlderFiles(t *testing.T) {
	w := numbers(t, Config{MaxSize: 500, MaxFile: 100}, 50)
	var all []string
	for i := range 50 {
		all = append(all, fmt.Sprintln(i))
	}
	for _, n := range []int{0, 1, 2, 5, 9, 13, 49, 50, 51, 1000, -1} {
		want := all
		if n >= 0 && n < 50 {
			want = all[50-n:]
		}
		if got := readAll(t, w.config.Path, Options{Tail: n}); got != strings.Join(want, "") {
			t.Errorf("the last %d: %q", n, got)
		}
	}
}

func TestSinceAndUntilCutTheLog(t *testing.T) {
	w := numbers(t, Config{}, 5)
	for _, tc := range []struct {
		since, until int
		want         string
	}{{-1, -1, "0\n1\n2\n3\n4\n"}, {2, -1, "2\n3\n4\n"}, {-1, 2, "0\n1\n2\n"}, {1, 3, "1\n2\n3\n"}, {9, -1, ""}} {
		o := Options{Tail: -1}
		if tc.since >= 0 {
			o.Since = noon.Add(time.Duration(tc.since) * time.Second)
		}
		if tc.until >= 0 {
			o.Until = noon.Add(time.Duration(tc.until) * time.Second)
		}
		if got := readAll(t, w.config.Path, o); got != tc.want {
			t.Errorf("since %d until %d: %q", tc.since, tc.until, got)
		}
	}
}

func TestDamagedEntriesAreLeftOut(t *testing.T) {
	w := numbers(t, Config{}, 2)
	f, err := os.OpenFile(w.config.Path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"log":"good\n","stream":"stderr","time":"2024-05-01T12:00:00Z"}`
	fmt.Fprintf(f, "{\"log\":\"torn\n\x00\x00\nnull\n[]\n%s\n{\"log\":\"no end", good)
	f.Close()
	if got := readAll(t, w.config.Path, Options{Tail: -1}); got != "0\n1\ngood\n" {
		t.Errorf("%q", got)
	}
}

func TestALogThatIsNotThereIsEmpty(t *testing.T) {
	if got := readAll(t, filepath.Join(t.TempDir(), "x"), Options{Tail: 10}); got != "" {
		t.Errorf("%q", got)
	}
}

// A follower reads on through any number of rotations, from a log that is not
// there at first, and ends when the container has.
func TestFollowersMissNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x-json.log")
	done := make(chan struct{})
	got := make(chan string, 1)
	go func() { got <- readAll(t, path, Options{Tail: -1, Follow: done}) }()
	time.Sleep(10 * time.Millisecond)
	w := open(t, Config{Path: path, MaxSize: 2000, MaxFile: 50})
	var want strings.Builder
	for i := range 300 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		w.Write(Stdout, []byte(line))
		if i%50 == 0 {
			time.Sleep(3 * time.Millisecond)
		}
	}
	w.Write(Stdout, []byte("the end"))
	want.WriteString("the end")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	close(done)
	select {
	case s := <-got:
		if s != want.String() {
			t.Errorf("%d bytes, want %d", len(s), want.Len())
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the follower does not end")
	}
}

func TestAFollowerEndsWithItsContext(t *testing.T) {
	w := numbers(t, Config{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	err := Read(ctx, w.config.Path, Options{Tail: -1, Follow: make(chan struct{})}, func(Message) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
