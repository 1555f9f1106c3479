package logging

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// toSyslog is a syslog that somebody listens to, and a copy.
func toSyslog(t *testing.T) Config {
	t.Helper()
	at, _ := datagrams(t, "udp", "127.0.0.1:0")
	return Config{Driver: "syslog", Address: "udp://" + at, Tag: "me", Path: filepath.Join(t.TempDir(), "cached.log")}
}

func TestWhatIsSentAwayCanBeReadFromTheCopy(t *testing.T) {
	for _, buffer := range []int64{0, 1 << 20} {
		c := toSyslog(t)
		at, next := datagrams(t, "udp", "127.0.0.1:0")
		c.Address, c.Buffer = "udp://"+at, buffer
		w := open(t, c)
		w.Write(Stdout, []byte("one\n\ntwo\nno "))
		w.Idle()
		w.Write(Stdout, []byte("end"))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"one\n", "two\n", "no end\n"} {
			if got := next(); !strings.HasSuffix(got, ": "+want) {
				t.Errorf("sent: %q, want %q", got, want)
			}
		}
		if got := readAll(t, c.Path, Options{Driver: "local", Tail: -1}); got != "one\n\ntwo\nno end" {
			t.Errorf("copy: %q", got)
		}
	}
}

func TestTheCopyIsRotatedAndCompressed(t *testing.T) {
	c := toSyslog(t)
	c.MaxSize, c.MaxFile, c.Compress = 500, 3, true
	numbers(t, c, 100)
	found, err := filepath.Glob(filepath.Join(filepath.Dir(c.Path), "*"))
	if err != nil || fmt.Sprint(found) != fmt.Sprint([]string{c.Path, packed(c.Path, 1), packed(c.Path, 2)}) {
		t.Errorf("files: %q, %v", found, err)
	}
	if got := readAll(t, c.Path, Options{Driver: "local", Tail: 30}); !strings.HasPrefix(got, "70\n") || !strings.HasSuffix(got, "\n99\n") {
		t.Errorf("tail: %q", got)
	}
}

func TestWithoutAPathNoCopyIsKept(t *testing.T) {
	c := toSyslog(t)
	dir := filepath.Dir(c.Path)
	c.Path = ""
	w, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(Stdout, []byte("hello\n"))
	w.Idle()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}

// The copy is whole when the receiver loses lines, and the other way round.
func TestReceiverAndCopyFailEachByItself(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it takes the connection and reads nothing
	c := toSyslog(t)
	receiver := c.Address
	c.Address = "tcp://" + l.Addr().String()
	w := open(t, c)
	line := append(bytes.Repeat([]byte("x"), maxLine-1), '\n')
	for range 1000 { // more than the connection holds
		w.Write(Stdout, line)
	}
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "are lost") || strings.Contains(err.Error(), "the copy") {
		t.Errorf("%v", err)
	}
	if got := readAll(t, c.Path, Options{Driver: "local", Tail: -1}); len(got) != 1000*len(line) {
		t.Errorf("the copy has %d bytes", len(got))
	}

	c = Config{Driver: "syslog", Address: receiver, Tag: "me", Path: "/dev/full"}
	w = open(t, c)
	w.Write(Stdout, []byte("a\nb\n"))
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "the copy for minictr logs: 2 lines") {
		t.Errorf("%v", err)
	}
	c.Path = "/dev/null/copy"
	if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "keep a copy of what goes to syslog") {
		t.Errorf("%v", err)
	}
}
