package logging

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 120000000, time.UTC)

// open opens a log whose clock stands still.
func open(t testing.TB, c Config) *Writer {
	t.Helper()
	if c.Path == "" {
		c.Path = filepath.Join(t.TempDir(), "x-json.log")
	}
	w, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	w.now = func() time.Time { return noon }
	return w
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEntriesAreDockersToTheByte(t *testing.T) {
	const rest = `,"stream":"stdout","time":"2024-05-01T12:00:00.12Z"}` + "\n"
	for _, tc := range []struct{ printed, log string }{
		{"hello\n", `"hello\n"`},
		{"\n", `"\n"`},
		{"a\tb\r\n", `"a\u0009b\r\n"`},
		{"\"\\/<>&'\n", `"\"\\/\u003c\u003e\u0026'\n"`},
		{"\x00\x1b[0m\x7f\n", `"\u0000\u001b[0m` + "\x7f" + `\n"`},
		{"héllo €𝄞\n", `"héllo €𝄞\n"`},
		{"a\xffb\xc3\n", `"a\ufffdb\ufffd\n"`},
		{"\u2028\u2029\n", `"\u2028\u2029\n"`},
		{"no newline", `"no newline"`},
	} {
		w := open(t, Config{})
		w.Write(Stdout, []byte(tc.printed))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, want := read(t, w.config.Path), `{"log":`+tc.log+rest; got != want {
			t.Errorf("%q:\ngot  %swant %s", tc.printed, got, want)
		}
	}
}

// texts returns the log fields of the entries in a file.
func texts(t testing.TB, path string) []string {
	t.Helper()
	var list []string
	for line := range strings.Lines(read(t, path)) {
		var m Message
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, m.Text)
	}
	return list
}

func TestLongLinesAreCutWhereDockerCuts(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, tc := range []struct {
		printed string
		want    []string
	}{
		{long + "\n", []string{long, "\n"}},
		{long + "y\n", []string{long, "y\n"}},
		{long + long + "\n", []string{long, long, "\n"}},
		{long[1:] + "\n", []string{long[1:] + "\n"}},
		{long, []string{long}},
		{long + "y", []string{long, "y"}},
		{"a\n" + long + "b\nc", []string{"a\n", long, "b\n", "c"}},
	} {
		for _, piece := range []int{1, 7, maxLine - 1, maxLine, maxLine + 1, 1 << 20} {
			w := open(t, Config{})
			for rest := []byte(tc.printed); len(rest) > 0; {
				n := min(piece, len(rest))
				w.Write(Stdout, rest[:n])
				rest = rest[n:]
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got := texts(t, w.config.Path)
			if strings.Join(got, "|") != strings.Join(tc.want, "|") {
				t.Errorf("%d bytes in pieces of %d: %d entries, want %d", len(tc.printed), piece, len(got), len(tc.want))
			}
		}
	}
}

func TestStreamsDoNotMixWithinALine(t *testing.T) {
	w := open(t, Config{})
	w.Write(Stdout, []byte("out "))
	w.Write(Stderr, []byte("err "))
	w.Write(Stdout, []byte("one\nout"))
	w.Write(Stderr, []byte("one\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(texts(t, w.config.Path), "|"), "out one\n|err one\n|out"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestALogThatGrowsIsRotated(t *testing.T) {
	for _, files := range []int{1, 2, 3} {
		w := open(t, Config{MaxSize: 1000, MaxFile: files})
		var want []string
		for i := range 100 {
			line := fmt.Sprintf("line %d\n", i)
			want = append(want, line)
			w.Write(Stdout, []byte(line))
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := files; i >= 0; i-- {
			info, err := os.Stat(old(w.config.Path, i))
			if i == files {
				if err == nil {
					t.Errorf("more than %d files", files)
				}
				continue
			}
			if err != nil || info.Size() > 1100 {
				t.Errorf("file %d of %d: %v, %v", i, files, info, err)
			}
			got = append(got, texts(t, old(w.config.Path, i))...)
		}
		if tail := want[len(want)-len(got):]; strings.Join(got, "") != strings.Join(tail, "") || len(got) < 5 {
			t.Errorf("%d files keep %q", files, got)
		}
	}
}

func TestAFullDiskIsToldAndStopsNobody(t *testing.T) {
	w := open(t, Config{Path: "/dev/full"})
	w.Write(Stdout, []byte("a\nb\n"))
	w.Write(Stderr, []byte("c\n"))
	err := w.Close()
	if err == nil || !strings.Contains(err.Error(), "3 lines") || !strings.Contains(err.Error(), "no space") {
		t.Error(err)
	}
}

func TestTheDriverNoneKeepsNothing(t *testing.T) {
	w, err := Open(Config{Driver: "none"})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(Stdout, []byte("x"))
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(Config{Driver: "syslog"}); err == nil {
		t.Error("an unknown driver is taken")
	}
}

// Whatever is printed, in whatever pieces: the file is JSON line by line, and
// its texts joined are what was printed, invalid UTF-8 replaced.
func FuzzNothingPrintedIsLost(f *testing.F) {
	f.Add([]byte("hello\nworld"), uint16(3))
	f.Add([]byte("\xff\x00\u2028<\"\\>\n"), uint16(1))
	f.Fuzz(func(t *testing.T, printed []byte, piece uint16) {
		w := open(t, Config{})
		for rest := printed; len(rest) > 0; {
			n := min(int(piece)+1, len(rest))
			w.Write(Stdout, rest[:n])
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		err := Read(context.Background(), w.config.Path, Options{Tail: -1}, func(m Message) error {
			got.WriteString(m.Text)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(printed) > maxLine {
			return // a cut may go through a rune; the table above covers the lengths
		}
		var want strings.Builder
		for _, r := range string(printed) {
			want.WriteRune(r)
		}
		if got.String() != want.String() {
			t.Errorf("got  %q\nwant %q", got.String(), want.String())
		}
	})
}

func BenchmarkWriteText(b *testing.B) {
	piece := []byte(strings.Repeat("an ordinary line of eighty characters, as programs print them to their logs ...\n", 800))
	w := open(b, Config{Path: "/dev/null"})
	b.SetBytes(int64(len(piece)))
	for b.Loop() {
		w.Write(Stdout, piece)
	}
}

func BenchmarkWriteZeros(b *testing.B) {
	piece := make([]byte, 64<<10)
	w := open(b, Config{Path: "/dev/null"})
	b.SetBytes(int64(len(piece)))
	for b.Loop() {
		w.Write(Stdout, piece)
	}
}
