package terminal

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/leak"
	"minictr/pkg/step"
)

func TestMain(m *testing.M) { os.Exit(leak.Main(m)) }

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: makes a mount namespace")
	}
}

// steps surrounds middle with what a terminal needs of a container: a mount
// namespace with a devpts of its own, and a program.
func steps(devpts string, middle step.Plan, argv ...string) step.Plan {
	one := func(name string, side step.Side, calls ...kernel.Call) step.Step {
		return step.Step{Name: name, Topic: book.Containers, Side: side, Calls: calls, Rule: "test"}
	}
	plan := step.Plan{
		one("test.clone", step.Clone, kernel.Clone(kernel.CloneArgs{Flags: unix.CLONE_NEWNS | unix.CLONE_NEWPID})),
		one("test.devpts", step.Inside,
			kernel.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			kernel.Mount("devpts", devpts, "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5")),
	}
	plan = append(plan, middle...)
	return append(plan, one("test.exec", step.Inside,
		kernel.Execve(argv[0], argv, []string{"PATH=/bin:/usr/bin", "PTS=" + devpts})))
}

// run runs a plan with a terminal, types input, and returns what was printed
// until the terminal hung up, and the program's exit status.
func run(t *testing.T, plan step.Plan, input string) (string, int) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := (&step.Runner{}).Run(plan)
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(p.Slots[Copy], "master")
	defer master.Close()
	if _, err := master.WriteString(input); err != nil {
		t.Error(err)
	}
	out := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(master) // ends with EIO: the other side is closed
		out <- string(b)
	}()
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(p.PID, &ws, 0, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case s := <-out:
		return strings.ReplaceAll(s, "\r\n", "\n"), ws.ExitStatus()
	case <-time.After(5 * time.Second):
		t.Fatal("the terminal does not end with its last user")
		return "", 0
	}
}

func TestAProgramInsideHasTheTerminal(t *testing.T) {
	needRoot(t)
	devpts := t.TempDir()
	open := Options{Devpts: devpts, Width: 101, Height: 31, UID: 12}
	out, code := run(t, steps(devpts, step.Plan{Open(open), Fetch(), Attach()}, "/bin/sh", "-c",
		`stty size; readlink /proc/self/fd/2 | sed "s,$PTS,PTS,"; stat -c %u:%g:%t $PTS/0; readlink /proc/self/fd/* | grep ptmx; test -t 0 && echo terminal; exit 7`), "")
	for _, want := range []string{"31 101\n", "PTS/0\n", "12:5:88\n", "terminal\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "ptmx") {
		t.Errorf("the program holds the master:\n%s", out)
	}
	if code != 7 {
		t.Error("exit status", code)
	}
}

func TestCtrlCReachesTheProgram(t *testing.T) {
	needRoot(t)
	devpts := t.TempDir()
	// The shell says "up" before it reads, so that the key cannot come before the trap is set.
	plan := steps(devpts, step.Plan{Open(Options{Devpts: devpts}), Fetch(), Attach()}, "/bin/sh", "-c",
		`trap "echo interrupted; exit 3" INT; echo up; while :; do sleep 0.05; done`)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := (&step.Runner{}).Run(plan)
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(p.Slots[Copy], "master")
	defer master.Close()
	buf := make([]byte, 64)
	if n, err := master.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "up") {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if _, err := master.Write([]byte{3}); err != nil {
		t.Error(err)
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(p.PID, &ws, 0, nil); err != nil || ws.ExitStatus() != 3 {
		t.Error(err, ws)
	}
}

func TestResizeReachesTheProgram(t *testing.T) {
	needRoot(t)
	devpts := t.TempDir()
	plan := steps(devpts, step.Plan{Open(Options{Devpts: devpts}), Fetch(), Attach()}, "/bin/sh", "-c", `read line; stty size`)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := (&step.Runner{}).Run(plan)
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(p.Slots[Copy], "master")
	defer master.Close()
	if err := Resize(master, Size{Width: 77, Height: 22}); err != nil {
		t.Error(err)
	}
	if got, err := SizeOf(master); err != nil || got != (Size{77, 22}) {
		t.Error(got, err)
	}
	if _, err := master.WriteString("\n"); err != nil {
		t.Error(err)
	}
	out, _ := io.ReadAll(master)
	if !strings.Contains(string(out), "22 77") {
		t.Errorf("%q", out)
	}
	var ws syscall.WaitStatus
	_, _ = syscall.Wait4(p.PID, &ws, 0, nil)
}

func TestConsoleIsTheTerminal(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for _, d := range []string{"dev/pts", "proc", "bin"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("needs a static /bin/busybox: ", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/busybox"), busybox, 0o755); err != nil {
		t.Fatal(err)
	}
	chroot := step.Step{Name: "test.chroot", Side: step.Inside, Calls: []kernel.Call{kernel.Chroot(dir), kernel.Chdir("/")}}
	out, code := run(t, steps(filepath.Join(dir, "dev/pts"),
		step.Plan{chroot, Open(Options{}), Fetch(), Console(), Attach()},
		"/bin/busybox", "sh", "-c", `echo hello > /dev/console; /bin/busybox stat -c %t,%T /dev/console /dev/pts/0; /bin/busybox tty`), "")
	if want := "hello\n88,0\n88,0\n/dev/pts/0\n"; out != want || code != 0 {
		t.Errorf("exit status %d, printed %q, want %q", code, out, want)
	}
}

// A second program's terminal: OpenIn finds the ptmx by the path the container
// has, so the container's root is this test's chroot directory.
func TestASecondProgramGetsATerminalOfTheContainers(t *testing.T) {
	needRoot(t)
	devpts := "/dev/pts"
	out, code := run(t, append(
		step.Plan{OpenIn(os.Getpid(), Options{Width: 50, Height: 20})},
		steps(t.TempDir(), step.Plan{Release(), Inherit(3)}, "/bin/sh", "-c", `stty size; tty; stat -c %u $(tty)`)...), "")
	lines := strings.Split(out, "\n")
	if code != 0 || len(lines) < 3 || lines[0] != "20 50" || !strings.HasPrefix(lines[1], devpts) || lines[2] != "3" {
		t.Errorf("exit status %d, printed %q", code, out)
	}
}

func TestALinkInTheContainerDoesNotLeadOut(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "dev/pts"), 0o755); err != nil {
		t.Fatal(err)
	}
	// The link names the host's ptmx; inside the root there is none.
	if err := os.Symlink("/dev/ptmx", filepath.Join(dir, "dev/pts/ptmx")); err != nil {
		t.Fatal(err)
	}
	victim := step.Plan{
		{Name: "test.clone", Side: step.Clone, Calls: []kernel.Call{kernel.Clone(kernel.CloneArgs{})}},
		{Name: "test.exec", Side: step.Inside, Calls: []kernel.Call{
			kernel.Chroot(dir),
			kernel.Execve("/sleep", []string{"sleep", "60"}, nil),
		}},
	}
	copyBusybox(t, filepath.Join(dir, "sleep"))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := (&step.Runner{}).Run(victim)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
		var ws syscall.WaitStatus
		_, _ = syscall.Wait4(p.PID, &ws, 0, nil)
	}()
	_, err = (&step.Runner{}).Run(append(step.Plan{OpenIn(p.PID, Options{})}, victim...))
	if err == nil || !strings.Contains(err.Error(), "ENOENT") {
		t.Errorf("got %v, want ENOENT: the link must end inside the root", err)
	}
	closeFD(t, dir)
}

// closeFD closes what a plan that broke off has left open in this process: a
// real one would end now.
func closeFD(t *testing.T, target string) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range fds {
		if link, _ := os.Readlink("/proc/self/fd/" + e.Name()); link == target {
			fd, _ := strconv.Atoi(e.Name())
			_ = unix.Close(fd)
		}
	}
}

func copyBusybox(t *testing.T, to string) {
	t.Helper()
	b, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip("needs a static /bin/busybox: ", err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestTheStepsPrintAsStraceDoes(t *testing.T) {
	var all []string
	for _, s := range []step.Step{Open(Options{Width: 80, Height: 24}), Attach()} {
		for _, c := range s.Calls {
			all = append(all, c.String())
		}
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{
		`openat2(AT_FDCWD, "/dev/pts/ptmx", {flags=O_RDWR|O_NOCTTY|O_CLOEXEC, resolve=RESOLVE_NO_SYMLINKS}, 24)`,
		"ioctl(<ptmx>, TIOCSPTLCK, [0])",
		"ioctl(<ptmx>, TIOCGPTPEER, O_RDWR|O_NOCTTY|O_CLOEXEC)",
		"ioctl(<ptmx>, TIOCSWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0})",
		"setsid()",
		"ioctl(<pts>, TIOCSCTTY, 0)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
