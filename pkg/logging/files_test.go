package logging

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The bytes are what docker's own driver writes for this entry.
func TestLocalEntriesAreDockersToTheByte(t *testing.T) {
	got := appendRecord(nil, []byte("hi\n"), Stdout, time.Unix(0, 300))
	want := "\x00\x00\x00\x0f\x0a\x06stdout\x10\xac\x02\x1a\x02hi\x00\x00\x00\x0f"
	if string(got) != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	m, ok := parseRecord(got[frame : len(got)-frame])
	if !ok || m.Text != "hi\n" || m.Stream != Stdout || !m.Time.Equal(time.Unix(0, 300)) {
		t.Errorf("%+v %v", m, ok)
	}
}

// Both formats keep the same through rotation, compression and a limit, and
// give back any number of the last lines.
func TestEveryFileDriverKeepsAndFindsLines(t *testing.T) {
	for _, driver := range []string{"json-file", "local"} {
		for _, compress := range []bool{false, true} {
			t.Run(fmt.Sprint(driver, compress), func(t *testing.T) {
				c := Config{Driver: driver, Path: filepath.Join(t.TempDir(), "log"), MaxSize: 3000, MaxFile: 100, Compress: compress}
				w := open(t, c)
				var all []string
				for i := range 300 {
					w.now = func() time.Time { return noon.Add(time.Duration(i) * time.Second) }
					line := fmt.Sprintf("line %d\n", i)
					all = append(all, line)
					w.Write(Stderr, []byte(line))
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if found, err := filepath.Glob(c.Path + ".*.gz"); err != nil || (len(found) > 1) != compress {
					t.Errorf("compressed files: %q, %v", found, err)
				}
				for _, n := range []int{-1, 0, 1, 29, 150, 299, 300, 999} {
					want := all
					if n >= 0 && n < len(all) {
						want = all[len(all)-n:]
					}
					if got := readAll(t, c.Path, Options{Driver: driver, Tail: n}); got != strings.Join(want, "") {
						t.Errorf("the last %d: %.100q…", n, got)
					}
				}
				o := Options{Driver: driver, Tail: -1, Since: noon.Add(297 * time.Second)}
				if got := readAll(t, c.Path, o); got != strings.Join(all[297:], "") {
					t.Errorf("since: %q", got)
				}
			})
		}
	}
}

func TestAFollowerReadsOnThroughCompression(t *testing.T) {
	for _, driver := range []string{"json-file", "local"} {
		c := Config{Driver: driver, Path: filepath.Join(t.TempDir(), "log"), MaxSize: 4000, MaxFile: 200, Compress: true}
		w := open(t, c)
		w.now = time.Now
		done, got := make(chan struct{}), make(chan string, 1)
		go func() { got <- readAll(t, c.Path, Options{Driver: driver, Tail: -1, Follow: done}) }()
		var want strings.Builder
		for i := range 2000 {
			line := fmt.Sprintf("line %d\n", i)
			want.WriteString(line)
			w.Write(Stdout, []byte(line))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		close(done)
		if g := <-got; g != want.String() {
			t.Errorf("%s: %d bytes of %d", driver, len(g), want.Len())
		}
	}
}

func TestDamagedLocalLogsEndWhereTheDamageIs(t *testing.T) {
	for _, damage := range []string{"\xff\xff\xff\xff", "\x00\x00\x00\x02ab\x00\x00\x00\x03", "\x00\x00\x00\x02\x0a\x30\x00\x00\x00\x02", "\x00\x00"} {
		c := Config{Driver: "local", Path: filepath.Join(t.TempDir(), "log")}
		w := open(t, c)
		w.Write(Stdout, []byte("good\n"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(c.Path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.WriteString(damage)
		f.Close()
		if got := readAll(t, c.Path, Options{Driver: "local", Tail: -1}); got != "good\n" {
			t.Errorf("%q: %q", damage, got)
		}
		_ = readAll(t, c.Path, Options{Driver: "local", Tail: 5})
	}
}

func TestAttributesGoWithEachEntry(t *testing.T) {
	w := open(t, Config{Attrs: map[string]string{"b": "2", "a": "<1>"}, Tag: "me"})
	w.Write(Stdout, []byte("x\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := `{"log":"x\n","stream":"stdout","attrs":{"a":"\u003c1\u003e","b":"2","tag":"me"},"time":"2024-05-01T12:00:00.12Z"}` + "\n"
	if got := read(t, w.config.Path); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// slow is a sink that takes its time.
type slow struct {
	release chan struct{}
	got     []string
}

func (s *slow) add(line []byte, _ string, _ time.Time) {
	<-s.release
	s.got = append(s.got, string(line))
}
func (s *slow) flush()       {}
func (s *slow) close() error { return nil }

func TestABufferedDriverNeverWaits(t *testing.T) {
	s := &slow{release: make(chan struct{})}
	w := &Writer{sink: newBuffered(s, 100), now: time.Now, streams: make(map[string]*stream)}
	for i := range 1000 {
		w.Write(Stdout, fmt.Appendf(nil, "%09d\n", i))
	}
	close(s.release)
	err := w.Close()
	if err == nil || !strings.Contains(err.Error(), "the buffer is full") {
		t.Errorf("%v", err)
	}
	if n := len(s.got); n < 10 || n > 30 || s.got[0] != "000000000\n" {
		t.Errorf("%d lines, the first %q", n, s.got[0])
	}
}

// A gigabyte a minute is 17 MB a second.
func TestAFloodOfOutputIsTakenAtOnce(t *testing.T) {
	for _, driver := range []string{"json-file", "local"} {
		w := open(t, Config{Driver: driver, Path: filepath.Join(t.TempDir(), "log"), MaxSize: 2 << 20, MaxFile: 2})
		flood := bytes.Repeat([]byte("a line of ordinary length, as programs print them\n"), 1000)
		start, written := time.Now(), 0
		for written < 20<<20 {
			w.Write(Stdout, flood)
			written += len(flood)
		}
		rate := float64(written) / time.Since(start).Seconds() / (1 << 20)
		t.Logf("%s: %.0f MB/s", driver, rate)
		if rate < 17 && !testing.Short() && os.Getenv("CI") == "" {
			t.Errorf("%s: %.0f MB/s", driver, rate)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(w.config.Path); err != nil || info.Size() > 3<<20 {
			t.Errorf("the limit on its size does not hold: %v, %v", info, err)
		}
	}
}

func FuzzRecordsNeverPanic(f *testing.F) {
	f.Add(appendRecord(nil, []byte("hi\n"), Stdout, noon))
	f.Add([]byte("\x00\x00\x00\x02\x0a\x30\x00\x00\x00\x02"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		for {
			entry, rest, err := splitRecord(b)
			if err != nil || entry == nil {
				return
			}
			_, _ = parseRecord(entry)
			b = rest
		}
	})
}
