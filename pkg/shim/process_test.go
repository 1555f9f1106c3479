package shim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/record"
	"minictr/pkg/shim/client"
	"minictr/pkg/terminal"
)

// This test's program under the name minictr-client is what a command line
// does with a session, for tests that kill, stop or starve it.
//
//	minictr-client ROOT RUN ID SHIM MODE
//
// MODE is plain, terminal (standard input is one), or panic.
func clientMain() int {
	if os.Args[5] == "ignoring" {
		return ignoringMain()
	}
	patience, _ := strconv.Atoi(os.Getenv("PATIENCE_MS"))
	o := client.Options{
		Dirs: record.Dirs{Root: os.Args[1], Run: os.Args[2]}, ID: os.Args[3], Shim: os.Args[4],
		Patience: time.Duration(patience) * time.Millisecond,
		Streams: client.Streams{
			Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, SigProxy: true,
			Lost: func(n uint64) { fmt.Fprintf(os.Stderr, "lost %d\n", n) },
		},
	}
	switch os.Args[5] {
	case "terminal":
		o.Terminal, o.DetachKeys = os.Stdin, []byte{16, 17}
	case "panic":
		o.Terminal, o.Stdout = os.Stdin, panicking{}
	}
	s, err := client.Start(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	exit, err := s.Wait(context.Background())
	if errors.Is(err, client.ErrDetached) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 125
	}
	return exit.Code
}

// ignoringMain is a client whose parent ignores signals, as nohup and
// supervisors do: one that Go never touches, 32, among them.
func ignoringMain() int {
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGUSR1, unix.SIGPIPE, unix.SIGCHLD, unix.SIGWINCH, syscall.Signal(40))
	ignore := [4]uint64{1} // SIG_IGN
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, 32, uintptr(unsafe.Pointer(&ignore)), 0, 8, 0, 0)
	if errno == 0 {
		os.Args[5] = "plain"
		errno, _ = syscall.Exec("/proc/self/exe", os.Args, os.Environ()).(syscall.Errno)
	}
	fmt.Fprintln(os.Stderr, errno)
	return 125
}

type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("a bug") }

// command is a minictr-client for the box.
func (b *box) command(mode string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", b.dirs.Root, b.dirs.Run, b.id, shimPath, mode)
	cmd.Args[0] = "minictr-client"
	b.t.Cleanup(func() {
		if cmd.Process != nil {
			_ = cmd.Process.Kill()
		}
		_ = client.Signal(context.Background(), b.dirs, b.id, syscall.SIGKILL)
		_, _ = client.Wait(context.Background(), b.dirs, b.id)
	})
	return cmd
}

// tty is a user's terminal: what the test writes to it is typed, what it reads
// is on the screen.
type tty struct {
	*os.File
	peer   *os.File
	screen *watcher
}

func openTTY(t *testing.T) *tty {
	t.Helper()
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	host := kernel.NewHost()
	for _, c := range []kernel.Call{
		kernel.Openat(kernel.AtFDCWD, "/dev/ptmx", flags|unix.O_NONBLOCK, 0).Into("master"),
		kernel.UnlockPts(kernel.FD("master")),
		kernel.OpenPts(kernel.FD("master"), flags).Into("peer"),
		kernel.SetWinsize(kernel.FD("master"), 33, 111),
	} {
		if _, err := host.Do(c); err != nil {
			t.Fatal(err)
		}
	}
	y := &tty{os.NewFile(host.Slots["master"], "master"), os.NewFile(host.Slots["peer"], "peer"), newWatcher("")}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(y.screen, y.File)
	}()
	t.Cleanup(func() {
		y.peer.Close()
		y.Close()
		<-done
	})
	return y
}

func (y *tty) attributes(t *testing.T) unix.Termios {
	t.Helper()
	a, err := unix.IoctlGetTermios(int(y.peer.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *a
}

// see waits until something is on the screen.
func (y *tty) see(t *testing.T, text string) {
	t.Helper()
	waitFor(t, func() bool { return strings.Contains(y.screen.String(), text) })
}

func (y *tty) typed(t *testing.T, keys string) {
	t.Helper()
	if _, err := y.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// startIn starts a minictr-client at the terminal.
func (b *box) startIn(y *tty, mode string) *exec.Cmd {
	b.t.Helper()
	cmd := b.command(mode)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = y.peer, y.peer, y.peer
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	return cmd
}

// ended waits for the end of a process and returns its status.
func ended(t *testing.T, cmd *exec.Cmd) syscall.WaitStatus {
	t.Helper()
	over := make(chan struct{})
	go func() { _ = cmd.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(20 * time.Second):
		_ = cmd.Process.Kill()
		<-over
		t.Error("the command did not end")
	}
	return cmd.ProcessState.Sys().(syscall.WaitStatus)
}

func withTerminal(b *box) {
	b.config.Stdin, b.config.StdinOnce, b.spec.Process.Terminal = true, true, true
}

func TestAShellInATerminalIsAsOnesOwn(t *testing.T) {
	y := openTTY(t)
	before := y.attributes(t)
	b := newBox(t, "", withTerminal, func(b *box) { b.spec.Process.Args = []string{"sh"} })
	cmd := b.startIn(y, "terminal")
	y.see(t, "# ")
	if y.attributes(t) == before {
		t.Error("the terminal is not in raw mode")
	}
	y.typed(t, "tty; stty size; echo co''oked\r")
	y.see(t, "/dev/pts/0\r\n33 111\r\ncooked\r\n")
	y.typed(t, "sleep 1000\r")
	y.see(t, "sleep 1000\r\n")
	time.Sleep(500 * time.Millisecond) // the shell makes it the foreground job
	y.typed(t, "\x03")
	y.see(t, "^C")
	y.typed(t, "echo status $?\r")
	y.see(t, "status 130\r\n")
	if err := terminal.Resize(y.File, terminal.Size{Width: 55, Height: 22}); err != nil {
		t.Fatal(err)
	}
	// The kernel tells a terminal's foreground processes; this is none.
	_ = cmd.Process.Signal(unix.SIGWINCH)
	waitFor(t, func() bool {
		y.typed(t, "stty size\r")
		time.Sleep(20 * time.Millisecond)
		return strings.Contains(y.screen.String(), "22 55\r\n")
	})
	y.typed(t, "exit 6\r")
	if status := ended(t, cmd); status.ExitStatus() != 6 {
		t.Errorf("%v; on the screen:\n%s", status, y.screen)
	}
	if y.attributes(t) != before {
		t.Error("the terminal is not as it was")
	}
}

func TestDetachKeysLeaveTheContainerRunning(t *testing.T) {
	y := openTTY(t)
	before := y.attributes(t)
	b := newBox(t, "", withTerminal, func(b *box) { b.spec.Process.Args = []string{"sh"} })
	cmd := b.startIn(y, "terminal")
	y.see(t, "# ")
	y.typed(t, "\x10") // alone it is the shell's: the previous line
	y.typed(t, "\x10\x11")
	if status := ended(t, cmd); status.ExitStatus() != 0 {
		t.Error(status)
	}
	if y.attributes(t) != before {
		t.Error("the terminal is not as it was")
	}
	if s := b.state(); !s.Live() || !record.Alive(s.Pid, s.PidStart) {
		t.Fatalf("%+v", s)
	}
	r, w := io.Pipe()
	defer w.Close()
	screen := newWatcher("back\r\n")
	s, err := client.Attach(t.Context(), b.dirs, b.id, client.Streams{Stdin: r, Stdout: screen})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "echo ba''ck; exit 8\r"); err != nil {
		t.Fatal(err)
	}
	screen.wait(t)
	if code := b.wait(s); code != 8 {
		t.Error("code", code)
	}
}

func TestTheTerminalIsGivenBackHoweverTheCommandEnds(t *testing.T) {
	for _, tc := range []struct {
		mode string
		sig  syscall.Signal
	}{{"terminal", syscall.SIGTERM}, {"terminal", syscall.SIGHUP}, {"terminal", syscall.SIGINT}, {"panic", 0}} {
		y := openTTY(t)
		before := y.attributes(t)
		b := newBox(t, "while :; do read x; echo up; done", withTerminal)
		cmd := b.startIn(y, tc.mode)
		waitFor(t, func() bool { return y.attributes(t) != before })
		y.typed(t, "\r")
		if tc.sig != 0 {
			y.see(t, "up")
			_ = cmd.Process.Signal(tc.sig)
		}
		status := ended(t, cmd)
		if tc.sig != 0 && status.Signal() != tc.sig || tc.sig == 0 && status.ExitStatus() != 2 {
			t.Errorf("%s, %v: %v", tc.mode, tc.sig, status)
		}
		if y.attributes(t) != before {
			t.Errorf("%s, %v: the terminal is not as it was", tc.mode, tc.sig)
		}
		if !b.state().Live() {
			t.Errorf("%s, %v: the container ended, too", tc.mode, tc.sig)
		}
	}
}

func TestSignalsArePassedOnWithoutATerminal(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGQUIT} {
		name := strings.TrimPrefix(unix.SignalName(sig), "SIG")
		b := newBox(t, fmt.Sprintf("trap 'echo got; exit 5' %s; echo up; while :; do sleep 0.02; done", name))
		cmd := b.command("plain")
		out := newWatcher("up\n")
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out.wait(t)
		_ = cmd.Process.Signal(sig)
		if status := ended(t, cmd); status.ExitStatus() != 5 || out.String() != "up\ngot\n" {
			t.Errorf("%s: %v, %q", name, status, out)
		}
	}
}

// A signal that is ignored stays ignored through execve. What nohup(1) or a
// shell did to the user's command is none of the container's business.
func TestTheContainerInheritsNoIgnoredSignals(t *testing.T) {
	b := newBox(t, "", func(b *box) { b.spec.Process.Args = []string{"grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"} })
	cmd := b.command("ignoring")
	out, err := cmd.Output()
	if want := "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"; err != nil || string(out) != want {
		t.Errorf("%v: got %q, want %q", err, out, want)
	}
}

func TestAStoppedClientBlocksNobodyForGood(t *testing.T) {
	b := newBox(t, "dd if=/dev/zero bs=1000000 count=5 2>/dev/null; touch /done; while ! test -e /go; do sleep 0.01; done; echo end",
		func(b *box) { b.config.Log.Driver = "none" })
	cmd := b.command("plain")
	cmd.Env = append(os.Environ(), "PATIENCE_MS=200")
	var out counter
	errs := newWatcher("")
	cmd.Stdout, cmd.Stderr = &out, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { s, err := record.ReadState(b.dir()); return err == nil && s.Status == record.Running })
	_ = cmd.Process.Signal(unix.SIGSTOP)
	inside := fmt.Sprintf("/proc/%d/root", b.state().Pid)
	waitFor(t, func() bool { _, err := os.Stat(inside + "/done"); return err == nil })
	_ = cmd.Process.Signal(unix.SIGCONT)
	time.Sleep(100 * time.Millisecond) // it takes what it had not taken
	if err := os.WriteFile(inside+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status := ended(t, cmd); status.ExitStatus() != 0 {
		t.Error(status, errs)
	}
	var lost int64
	if _, err := fmt.Sscanf(errs.String(), "lost %d", &lost); err != nil && out != 5000004 {
		t.Errorf("%d bytes came, and no word of lost ones: %q", out, errs)
	}
	if int64(out)+lost != 5000004 {
		t.Errorf("%d bytes came and %d were lost, want 5000004 together", out, lost)
	}
	t.Logf("%d bytes came, %d were lost", out, lost)
}

func TestAContainerThatHasEndedDoesNotPassForRunningLong(t *testing.T) {
	b := newBox(t, "dd if=/dev/zero bs=500000 count=1 2>/dev/null") // more than a socket holds, less than pipes do
	cmd := b.command("plain")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { s, err := record.ReadState(b.dir()); return err == nil && s.Status == record.Exited })
	waitFor(t, func() bool { return len(b.left()) == 2 }) // the lock is free
	if n, err := io.Copy(io.Discard, out); err != nil || n != 500000 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if status := ended(t, cmd); status.ExitStatus() != 0 {
		t.Error(status)
	}
}

func TestASlowReaderLosesNothing(t *testing.T) {
	b := newBox(t, "dd if=/dev/zero bs=1000000 count=5 2>/dev/null", func(b *box) { b.config.Log.Driver = "none" })
	cmd := b.command("plain")
	cmd.Env = append(os.Environ(), "PATIENCE_MS=4000") // more than between two signs of life
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Second) // as long as somebody may look at a page in less(1)
	if s := b.state(); s.Status != record.Running {
		t.Errorf("the container waits for its reader, and its state is %+v", s)
	}
	n, err := io.Copy(io.Discard, out)
	if err != nil || n != 5000000 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if status := ended(t, cmd); status.ExitStatus() != 0 {
		t.Error(status)
	}
}
