package logging

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// datagrams listens on a socket and returns what comes.
func datagrams(t *testing.T, network, address string) (at string, next func() string) {
	t.Helper()
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().String(), func() string {
		buf := make([]byte, 64<<10)
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
}

func TestSyslogMessagesHaveTheFormThatWasAskedFor(t *testing.T) {
	host, _ := os.Hostname()
	host = regexp.QuoteMeta(host)
	for format, want := range map[string]string{
		"":             `^<30>May  1 12:00:00 me\[\d+\]: hello\n$`,
		"rfc3164":      `^<30>May  1 12:00:00 ` + host + ` me\[\d+\]: hello\n$`,
		"rfc5424":      `^<30>1 2024-05-01T12:00:00Z ` + host + ` me \d+ me - hello\n$`,
		"rfc5424micro": `^<30>1 2024-05-01T12:00:00.120000Z ` + host + ` me \d+ me - hello\n$`,
	} {
		at, next := datagrams(t, "udp", "127.0.0.1:0")
		w := open(t, Config{Driver: "syslog", Address: "udp://" + at, Facility: 3, Tag: "me", Format: format})
		w.Write(Stdout, []byte("hello\n"))
		if got := next(); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%q: %q", format, got)
		}
		w.Write(Stdout, []byte("\n")) // of which nobody hears
		w.Write(Stderr, []byte("no end"))
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if got := next(); !strings.HasPrefix(got, "<27>") || !strings.HasSuffix(got, "no end\n") {
			t.Errorf("%q", got)
		}
	}
}

func TestSyslogReachesALocalSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	_, next := datagrams(t, "unixgram", path)
	w := open(t, Config{Driver: "syslog", Address: "unixgram://" + path, Tag: "me"})
	w.Write(Stdout, []byte("local\n"))
	if got := next(); !strings.HasSuffix(got, "local\n") {
		t.Errorf("%q", got)
	}
	_ = w.Close()
	if _, err := Open(Config{Driver: "syslog", Address: "unix:///nowhere/at/all"}); err == nil {
		t.Error("no daemon, and no error")
	}
}

func TestAReceiverThatComesBackIsFoundAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := open(t, Config{Driver: "syslog", Address: "tcp://" + l.Addr().String(), Tag: "me"})
	conns := make(chan net.Conn, 2)
	go func() {
		for range 2 {
			if conn, err := l.Accept(); err == nil {
				conns <- conn
			}
		}
	}()
	conn := <-conns
	w.Write(Stdout, []byte("first\n"))
	expect(t, conn, "first\n")
	conn.Close()
	for conn = nil; conn == nil; {
		w.Write(Stdout, []byte("again\n"))
		select {
		case conn = <-conns:
		case <-time.After(20 * time.Millisecond):
		}
	}
	expect(t, conn, "again\n")
	_ = w.Close()
	conn.Close()
}

func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	var got []byte
	for buf := make([]byte, 1000); !strings.Contains(string(got), want); {
		n, err := conn.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

func TestJournalEntriesSayWhoseTheyAre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	_, next := datagrams(t, "unixgram", path)
	w := open(t, Config{
		Driver: "journald", Address: path, ID: strings.Repeat("0123456789abcdef", 4), Name: "web", Image: "nginx", Tag: "tagged",
		Attrs: map[string]string{"com.example.a-b": "1", "_x": "two\nlines"},
	})
	w.Write(Stderr, []byte("bad\n"+strings.Repeat("x", maxLine+1)))
	_ = w.Close()
	got := next()
	for _, want := range []string{
		"CONTAINER_ID=0123456789ab\n", "CONTAINER_ID_FULL=0123456789abcdef01", "CONTAINER_NAME=web\n", "CONTAINER_TAG=tagged\n",
		"IMAGE_NAME=nginx\n", "SYSLOG_IDENTIFIER=tagged\n", "PRIORITY=3\n", "CONTAINER_LOG_ORDINAL=1\n", "\nMESSAGE=bad\n", "COM_EXAMPLE_A_B=1\n",
		"X\n" + string(binary.LittleEndian.AppendUint64(nil, 9)) + "two\nlines\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	if strings.Contains(got, "PARTIAL") {
		t.Error("a whole line is no part of one")
	}
	if got := next(); !strings.Contains(got, "CONTAINER_PARTIAL_MESSAGE=true\n") || !strings.Contains(got, "MESSAGE="+strings.Repeat("x", maxLine)+"\n") {
		t.Errorf("%.300q", got)
	}
	if _, err := Open(Config{Driver: "journald", Address: path + "no"}); err == nil || !strings.Contains(err.Error(), "not enabled") {
		t.Errorf("no journal: %v", err)
	}
}

// Somebody who takes the connection and then reads nothing must not stop the
// container for good.
func TestAStuckReceiverDoesNotStopTheContainer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := open(t, Config{Driver: "syslog", Address: "tcp://" + l.Addr().String(), Tag: "me"})
	line := append(bytes.Repeat([]byte("x"), maxLine-1), '\n')
	start, most := time.Now(), time.Duration(0)
	for time.Since(start) < remotePatience+500*time.Millisecond {
		before := time.Now()
		w.Write(Stdout, line)
		most = max(most, time.Since(before))
	}
	if most > 4*remotePatience {
		t.Errorf("one line took %v", most)
	}
	if err := w.Close(); err == nil || !strings.Contains(err.Error(), "lines of the container's log are lost") {
		t.Errorf("%v", err)
	}
}
