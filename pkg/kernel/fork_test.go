package kernel

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// spawn runs calls in a child with its standard output in a file, waits, and
// returns the child (still readable), what it wrote and its exit status.
func spawn(t *testing.T, flags CloneFlags, calls ...Call) (*Child, string, syscall.WaitStatus) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	h := NewHost()
	h.Slots["out"] = out.Fd()
	c, err := h.Spawn(Clone(CloneArgs{Flags: flags}), append([]Call{Dup3(FD("out"), 1, false)}, calls...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for c.Hear() {
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(c.PID, &ws, 0, nil); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(out.Name())
	return c, string(b), ws
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make namespaces")
	}
}

func TestAChildMakesItsCallsAndBecomesTheProgram(t *testing.T) {
	needRoot(t)
	c, out, ws := spawn(t, unix.CLONE_NEWUTS|unix.CLONE_CLEAR_SIGHAND,
		Sethostname("flight"), Execve("/bin/uname", []string{"uname", "-n"}, nil))
	if err := c.Executed(); err != nil {
		t.Fatal(err)
	}
	if out != "flight\n" || ws.ExitStatus() != 0 {
		t.Errorf("program said %q, status %d", out, ws.ExitStatus())
	}
	r := c.Rec.Result(Preamble + 1)
	if !r.OK() || r.End < r.Start || r.Start == 0 {
		t.Errorf("sethostname recorded as %+v", r)
	}
}

func TestAFailedCallStopsTheListAndNamesItself(t *testing.T) {
	c, out, ws := spawn(t, 0,
		Openat(AtFDCWD, "/nowhere", unix.O_RDONLY, 0).Into("fd"),
		Execve("/bin/echo", []string{"echo", "ran"}, nil))
	var ce *CallError
	if err := c.Executed(); !errors.As(err, &ce) || ce.Errno != unix.ENOENT || ce.Index != Preamble+1 {
		t.Fatalf("got %v, want ENOENT of the openat", err)
	}
	if !strings.Contains(ce.Error(), `openat(AT_FDCWD, "/nowhere", O_RDONLY)`) {
		t.Errorf("error does not show the call: %v", ce)
	}
	if out != "" || ws.ExitStatus() != childFailed {
		t.Errorf("child went on: %q, status %d", out, ws.ExitStatus())
	}
}

func TestGuardsFollowAnEarlierCall(t *testing.T) {
	open := func(path string, s Slot) Call {
		return Openat(AtFDCWD, path, unix.O_RDONLY|unix.O_CLOEXEC, 0).Into(s).Allowing(unix.ENOENT)
	}
	say := func(word string) Call { return Write(FD("out"), []byte(word)) }
	_, out, _ := spawn(t, 0,
		open("/", "there"), open("/nowhere", "missing"),
		say("a").IfOK("there"), say("b").IfFailed("there"),
		say("c").IfOK("missing"), say("d").IfFailed("missing"),
		Fchdir(FD("there")), Execve("/bin/true", []string{"true"}, nil))
	if out != "ad" {
		t.Errorf("calls made: %q, want ad", out)
	}
}

func TestExecTriesCandidatesAndKeepsTheBestError(t *testing.T) {
	c, out, _ := spawn(t, 0,
		Execve("/nowhere/echo", []string{"echo"}, nil), Execve("/bin/echo", []string{"echo", "hi"}, nil))
	if err := c.Executed(); err != nil || out != "hi\n" {
		t.Errorf("got %q, %v", out, err)
	}
	c, _, _ = spawn(t, 0, Execve("/etc/passwd", []string{"x"}, nil), Execve("/nowhere/x", []string{"x"}, nil))
	if err := c.Executed(); !errors.Is(err, unix.EACCES) {
		t.Errorf("got %v, want EACCES before ENOENT", err)
	}
}

func TestTheChildWaitsForItsParent(t *testing.T) {
	h := NewHost()
	c, err := h.Spawn(Clone(CloneArgs{}), []Call{Tell(), Await(), Execve("/bin/true", []string{"true"}, nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !c.Hear() {
		t.Fatal("no word from the child")
	}
	if r := c.Rec.Result(Preamble + 2); r.State != Pending {
		t.Errorf("the child did not wait: %+v", r)
	}
	if !c.Release() || c.Hear() {
		t.Error("the child did not go on to its program")
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(c.PID, &ws, 0, nil); err != nil || ws.ExitStatus() != 0 {
		t.Error(err, ws)
	}
}

func TestAnAbandonedChildEnds(t *testing.T) {
	c, err := NewHost().Spawn(Clone(CloneArgs{}), []Call{Await(), Execve("/bin/true", []string{"true"}, nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Abandon()
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(c.PID, &ws, 0, nil); err != nil || ws.ExitStatus() != childFailed {
		t.Error(err, ws)
	}
	if err := c.Executed(); !errors.Is(err, unix.ECANCELED) {
		t.Errorf("got %v, want ECANCELED", err)
	}
}

func TestASecondCloneGoesOnWithTheList(t *testing.T) {
	needRoot(t)
	c, _, _ := spawn(t, 0, Unshare(unix.CLONE_NEWPID),
		CloneAgain(CloneArgs{Flags: unix.CLONE_PARENT}),
		Execve("/bin/sh", []string{"sh", "-c", "test $$ = 1"}, nil))
	if err := c.Executed(); err != nil {
		t.Fatal(err)
	}
	if c.Final() == c.PID {
		t.Fatal("the second process has no pid of its own")
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(c.Final(), &ws, 0, nil); err != nil || ws.ExitStatus() != 0 {
		t.Error(err, ws)
	}
}

func TestAStringWithANulByteIsRefused(t *testing.T) {
	if _, err := NewHost().Do(Mkdir("/tmp/a\x00b", 0o755)); err == nil {
		t.Error("accepted")
	}
}

func TestCallsPrintAsStraceDoes(t *testing.T) {
	for _, tc := range []struct {
		call Call
		want string
	}{
		{Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""), `mount("proc", "/proc", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL)`},
		{PivotRoot(".", "."), `pivot_root(".", ".")`},
		{Clone(CloneArgs{Flags: unix.CLONE_NEWPID, Cgroup: "cg"}), `clone3({flags=CLONE_NEWPID|CLONE_CLEAR_SIGHAND|CLONE_INTO_CGROUP, exit_signal=SIGCHLD, stack=NULL, stack_size=0, cgroup=<cg>}, 88)`},
		{Openat2(AtFDCWD, "/x", unix.O_PATH|unix.O_CLOEXEC, 0, unix.RESOLVE_IN_ROOT), `openat2(AT_FDCWD, "/x", {flags=O_RDONLY|O_CLOEXEC|O_PATH, resolve=RESOLVE_IN_ROOT}, 24)`},
		{Mkdir("/a\tb", 0o755), `mkdirat(AT_FDCWD, "/a\tb", 0755)`},
		{Mknodat(AtFDCWD, "null", unix.S_IFCHR|0o666, 1, 3), `mknodat(AT_FDCWD, "null", S_IFCHR|0666, makedev(0x1, 0x3))`},
		{Sethostname("web"), `sethostname("web", 3)`},
		{Umount2(".", unix.MNT_DETACH), `umount2(".", MNT_DETACH)`},
	} {
		if got := tc.call.String(); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}
