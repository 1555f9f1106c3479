package terminal

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// openPair makes a terminal of this test's own, in the host's devpts.
func openPair(t *testing.T) (master, peer *os.File) {
	t.Helper()
	host := kernel.NewHost()
	calls := append([]kernel.Call{kernel.Openat(kernel.AtFDCWD, "/dev/ptmx", ptyIO, 0).Into(Master)}, pair(Master, Options{})...)
	for _, c := range calls {
		if _, err := host.Do(c); err != nil {
			t.Fatal(err)
		}
	}
	master, peer = os.NewFile(host.Slots[Master], "master"), os.NewFile(host.Slots[Peer], "peer")
	t.Cleanup(func() { master.Close(); peer.Close() })
	return master, peer
}

func TestRawModeIsUndone(t *testing.T) {
	_, tty := openPair(t)
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	restore, err := Raw(tty)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if raw.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 || raw.Oflag&unix.OPOST != 0 {
		t.Errorf("still cooked: %+v", raw)
	}
	for range 2 {
		if err := restore(); err != nil {
			t.Fatal(err)
		}
	}
	after, _ := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if *after != *before {
		t.Errorf("not as before: %+v, was %+v", after, before)
	}
}

func TestKeysReachTheOtherSideUnchangedInRawMode(t *testing.T) {
	master, tty := openPair(t)
	restore, err := Raw(tty)
	if err != nil {
		t.Fatal(err)
	}
	defer restore()
	const keys = "\x03\x04\x1a\r\n\x10\x11\x00\xff"
	if _, err := master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	got := ""
	for len(got) < len(keys) {
		n, err := tty.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += string(buf[:n])
	}
	if got != keys {
		t.Errorf("got %q, want %q", got, keys)
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if IsTerminal(null) {
		t.Error("/dev/null passes for a terminal")
	}
	if _, err := Raw(null); err == nil {
		t.Error("raw mode on /dev/null")
	}
	if _, tty := openPair(t); !IsTerminal(tty) {
		t.Error("a terminal does not pass for one")
	}
}
