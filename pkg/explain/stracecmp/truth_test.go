package stracecmp

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/explain"
	"minictr/pkg/kernel"
	"minictr/pkg/process"
	"minictr/pkg/step"
)

// The test binary runs a plan, in a process of its own that strace watches,
// when this variable names one; the events go into the file in eventsEnv.
const (
	planEnv   = "STRACECMP_PLAN"
	eventsEnv = "STRACECMP_EVENTS"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(planEnv); name != "" {
		if err := runPlan(name, os.Getenv(eventsEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plans by name; dir is an empty directory.
var plans = map[string]func(dir string) step.Plan{
	"inside":  insidePlan,
	"host":    hostPlan,
	"failing": failingPlan,
	"joining": joiningPlan,

	"container": containerPlan,
	"terminal":  containerPlan,
}

func runPlan(name, events string) error {
	runtime.LockOSThread()
	out, err := os.Create(events)
	if err != nil {
		return err
	}
	defer out.Close()
	plan := plans[name](filepath.Dir(events))
	r := &step.Runner{Observe: explain.JSON(out), Slots: stdio()}
	p, err := r.Run(plan)
	if err != nil {
		if name == "failing" {
			return nil
		}
		return err
	}
	if _, err := syscall.Wait4(p.PID, nil, 0, nil); err != nil {
		return err
	}
	var names []string
	for _, s := range plan {
		names = append(names, s.Name)
	}
	return step.Undo(plan, names, r.Observe)
}

func stdio() map[kernel.Slot]int {
	slots := make(map[kernel.Slot]int)
	for i, s := range []kernel.Slot{process.Stdin, process.Stdout, process.Stderr} {
		slots[s], _ = syscall.Dup(i)
	}
	return slots
}

func needStrace(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make namespaces")
	}
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace")
	}
}

// trace runs a plan under strace and returns both accounts of it.
func trace(t *testing.T, name string) ([]Line, []step.Event) {
	t.Helper()
	needStrace(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	log, events := filepath.Join(dir, "strace"), filepath.Join(dir, "events")
	argv := Argv(log, self)
	if name == "container" || name == "terminal" {
		makeBundle(t, dir, name == "terminal")
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	cmd.Env = append(os.Environ(), planEnv+"="+name, eventsEnv+"="+events)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return readTrace(t, log), readEvents(t, events)
}

func readTrace(t *testing.T, path string) []Line {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func readEvents(t *testing.T, path string) []step.Event {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var events []step.Event
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e step.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// own ignores the start of the test binary itself.
func own(l Line) bool { return l.Name == "execve" && l.Number == 1 }

func TestExplainTellsWhatStraceSees(t *testing.T) {
	for name := range plans {
		t.Run(name, func(t *testing.T) {
			lines, events := trace(t, name)
			for _, d := range Compare(lines, events, Options{Ignore: own}) {
				t.Error(d)
			}
			if calls := count(events); calls < 5 {
				t.Errorf("only %d calls were compared", calls)
			}
		})
	}
}

func count(events []step.Event) (n int) {
	for _, e := range events {
		if e.Kind == step.CallEvent {
			n++
		}
	}
	return n
}

func inside(name string, calls ...kernel.Call) step.Step {
	return step.Step{Name: name, Topic: book.Namespaces, Why: "To be compared.", Side: step.Inside, Calls: calls, Rule: "it ends with the process"}
}

func clone(flags kernel.CloneFlags) step.Step {
	return step.Step{
		Name: "test.clone", Topic: book.Namespaces, Why: "To be compared.", Side: step.Clone, Rule: "it ends with the process",
		Calls: []kernel.Call{kernel.Clone(kernel.CloneArgs{Flags: flags | unix.CLONE_CLEAR_SIGHAND})},
	}
}

var echo = kernel.Execve("/bin/echo", []string{"echo", "a \"b\"\t\\ \x01\x019é"}, []string{"PATH=/bin", "EMPTY="})

// insidePlan has the calls that a new process makes of itself.
func insidePlan(dir string) step.Plan {
	fd, here := kernel.FD, kernel.AtFDCWD
	return step.Plan{
		clone(unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP),
		inside("test.mount",
			kernel.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""),
			kernel.MountSetattr(here, "/", unix.AT_RECURSIVE, 0, 0, unix.MS_PRIVATE),
			kernel.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=64k,mode=755"),
			kernel.Fsopen("tmpfs").Into("fs"),
			kernel.FsconfigString(fd("fs"), "size", "1m"),
			kernel.FsconfigFlag(fd("fs"), "ro"),
			kernel.FsconfigCreate(fd("fs")),
			kernel.Fsmount(fd("fs"), unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_RDONLY).Into("tmp"),
			kernel.Mkdir(dir+"/new", 0o755),
			kernel.MoveMount(fd("tmp"), "", here, dir+"/new", unix.MOVE_MOUNT_F_EMPTY_PATH),
			kernel.OpenTree(here, "/proc", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE).Into("tree"),
			kernel.MountSetattr(fd("tree"), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_NOEXEC|unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR__ATIME, 0).Allowing(unix.EPERM, unix.EINVAL),
			kernel.Umount2(dir+"/new", unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW),
		),
		inside("test.files",
			kernel.Openat(here, dir+"/file\n\"1\"", unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600).Into("file"),
			kernel.Write(fd("file"), []byte("line\n\x00\xff5")),
			kernel.Close(fd("file")),
			kernel.Openat(here, dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into("dir"),
			kernel.Openat(here, dir, unix.O_RDONLY|unix.O_DIRECTORY, 0).Into("dir2"),
			kernel.Openat2(fd("dir"), "../../etc/passwd", unix.O_RDONLY|unix.O_CLOEXEC, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_MAGICLINKS).Allowing(unix.EXDEV),
			kernel.Openat2(fd("dir"), "made", unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC, 0o640, unix.RESOLVE_IN_ROOT),
			kernel.Mkdirat(fd("dir"), "d", 0o1777),
			kernel.Symlinkat("to/nowhere", fd("dir"), "link"),
			kernel.Mknodat(here, dir+"/null", unix.S_IFCHR|0o666, 1, 3),
			kernel.Mknodat(here, dir+"/big", unix.S_IFBLK|0o600, 259, 1048575),
			kernel.Mknodat(here, dir+"/fifo", unix.S_IFIFO|0o600, 0, 0),
			kernel.Fchmodat(here, dir+"/null", 0o620),
			kernel.Fchmodat(here, dir+"/null", 0),
			kernel.Fchownat(here, dir+"/link", 5, -1, unix.AT_SYMLINK_NOFOLLOW),
			kernel.Unlinkat(fd("dir"), "d", unix.AT_REMOVEDIR),
			kernel.Unlinkat(fd("dir"), "link", 0),
			kernel.Dup3(fd("dir"), 77, true), kernel.Dup3(fd("dir"), 78, false), kernel.CloseRange(70, unix.CLOSE_RANGE_CLOEXEC),
			kernel.Chdir(dir), kernel.Fchdir(fd("dir2")), kernel.Umask(0o27), kernel.Umask(0o22),
			kernel.Setxattr(dir+"/made", "user.a", "b\n").Allowing(unix.EOPNOTSUPP), kernel.HasXattr(dir+"/made", "user.a").Allowing(unix.ENODATA, unix.EOPNOTSUPP),
		),
		inside("test.net",
			kernel.InetSocket().Into("inet"),
			kernel.SetInterfaceFlags(fd("inet"), "lo", unix.IFF_UP, "IFF_UP"),
			kernel.SetInterfaceAddr(fd("inet"), "lo", netip.MustParseAddr("10.7.8.9")),
			kernel.SetInterfaceNetmask(fd("inet"), "lo", 24),
			kernel.AddDefaultRoute(fd("inet"), netip.MustParseAddr("10.7.8.1")).Allowing(unix.EINVAL, unix.ENETUNREACH),
			kernel.SetReuseAddr(fd("inet")), kernel.Bind(fd("inet"), netip.MustParseAddr("10.7.8.9"), 8080),
			kernel.Socket(kernel.AfInet, kernel.Named{Name: "SOCK_STREAM", Value: unix.SOCK_STREAM}, kernel.Named{Name: "IPPROTO_TCP", Value: unix.IPPROTO_TCP}).Into("tcp"),
			kernel.Bind(fd("tcp"), netip.MustParseAddr("0.0.0.0"), 80), kernel.Listen(fd("tcp"), 5),
		),
		inside("test.terminal",
			kernel.Setsid(),
			kernel.Openat(here, "/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0).Into("ptmx"),
			kernel.UnlockPts(fd("ptmx")), kernel.OpenPts(fd("ptmx"), unix.O_RDWR|unix.O_CLOEXEC).Into("pts"),
			kernel.SetWinsize(fd("ptmx"), 24, 80), kernel.SetControllingTerminal(fd("pts")),
		),
		inside("test.process",
			kernel.Sethostname("web"), kernel.Setdomainname("example.org"),
			kernel.SetDumpable(false), kernel.SetDumpable(true), kernel.SetPdeathsig(unix.SIGKILL),
			kernel.Prlimit(kernel.Named{Name: "RLIMIT_NOFILE", Value: unix.RLIMIT_NOFILE}, 1000, 2048),
			kernel.Prlimit(kernel.Named{Name: "RLIMIT_CORE", Value: unix.RLIMIT_CORE}, 0, unix.RLIM_INFINITY).Allowing(unix.EPERM),
			kernel.Prlimit(kernel.Named{Name: "RLIMIT_STACK", Value: unix.RLIMIT_STACK}, 8<<20, 8<<20),
			kernel.Kill(1, unix.SIGCONT),
			kernel.Setgroups(nil), kernel.Setgroups([]uint32{0, 10, 4294967294}),
			kernel.Tell(), kernel.Await(),
			kernel.SetNoNewPrivs(),
			kernel.SeccompFilter(unix.SECCOMP_FILTER_FLAG_LOG, []unix.SockFilter{{Code: 0x06, K: 0x7fff0000}}),
			kernel.Setresgid(0), kernel.Setresuid(0),
			kernel.Unshare(unix.CLONE_NEWCGROUP|unix.CLONE_NEWUTS),
			kernel.Openat(here, "/proc/self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0).Into("uts").Allowing(unix.ENOENT),
			kernel.Setns(fd("uts"), unix.CLONE_NEWUTS).IfOK("uts"),
			kernel.Chdir("/only/if/failed").IfFailed("uts").Allowing(unix.ENOENT),
		),
		inside("test.pivot",
			kernel.OpenTree(here, "/", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE).Into("root"),
			kernel.MoveMount(fd("root"), "", here, "/mnt", unix.MOVE_MOUNT_F_EMPTY_PATH),
			kernel.Chdir("/mnt"), kernel.PivotRoot(".", "."), kernel.Umount2(".", unix.MNT_DETACH), kernel.Chroot("/"),
		),
		inside("test.exec", kernel.Execve("/nowhere/echo", []string{"echo"}, nil), echo),
	}
}

// hostPlan has the calls that the engine makes itself.
func hostPlan(dir string) step.Plan {
	host := func(name string, undo func(step.Do) error, calls ...kernel.Call) step.Step {
		return step.Step{Name: name, Topic: book.Cgroups, Why: "To be compared.", Side: step.Host, Calls: calls, Undo: undo}
	}
	group := fmt.Sprintf("/sys/fs/cgroup/pids/minictr-stracecmp-%d", os.Getpid())
	if _, err := os.Stat("/sys/fs/cgroup/pids"); err != nil {
		group = strings.Replace(group, "/pids", "", 1)
	}
	ns := inside("test.wait", kernel.Tell(), kernel.Await())
	return step.Plan{
		host("test.cgroup", func(do step.Do) error { return do(kernel.Rmdir(group)) },
			append([]kernel.Call{kernel.Mkdir(group, 0o755), kernel.Mkdir(group, 0o755).Allowing(unix.EEXIST)}, kernel.WriteFile(group+"/pids.max", "64")...)...),
		clone(unix.CLONE_NEWUSER | unix.CLONE_NEWNET),
		host("test.maps", nil, append(mapFile("uid_map", "0 0 1"), append(mapFile("gid_map", "0 0 65536\n"),
			kernel.PidfdOpen(kernel.FD(step.PID)).Into("pidfd"), kernel.PidfdGetfd(kernel.FD("pidfd"), kernel.Int(0)).Into("copy"), kernel.Close(kernel.FD("copy")))...)...),
		ns,
		inside("test.exec", echo),
	}
}

func mapFile(name, value string) []kernel.Call {
	open := kernel.Openat(kernel.AtFDCWD, "", unix.O_WRONLY|unix.O_CLOEXEC, 0).Into("map")
	open.Args[1] = kernel.Path{"/proc/", step.PID, "/" + name}
	return []kernel.Call{open, kernel.Write(kernel.FD("map"), []byte(value)), kernel.Close(kernel.FD("map"))}
}

// failingPlan breaks off inside, after the host has something to undo.
func failingPlan(dir string) step.Plan {
	plan := hostPlan(dir)
	plan[len(plan)-1] = inside("test.break", kernel.Sethostname("ours"), kernel.Chdir("/no/such/place"), echo)
	return plan
}

// joiningPlan changes processes on the way: a process that joins a pid
// namespace gets there only with its next child.
func joiningPlan(string) step.Plan {
	return step.Plan{
		clone(0),
		inside("test.join", kernel.Unshare(unix.CLONE_NEWPID|unix.CLONE_NEWNS), kernel.CloneAgain(kernel.CloneArgs{Flags: unix.CLONE_PARENT}),
			kernel.Tell(), kernel.Await(), kernel.Mount("proc", "/proc", "proc", unix.MS_NOSUID, "")),
		inside("test.exec", echo),
	}
}
