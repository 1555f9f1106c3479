package cgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"minictr/pkg/kernel"
	"minictr/pkg/leak"
	"minictr/pkg/step"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The tests of this file make real cgroups, in names of their own, in both
// worlds: on the machine they run on, and on pure cgroup v2 in the VM.
//
//minictr:vm

// prefix is in the name of every cgroup that this run of the tests makes.
var (
	prefix = fmt.Sprintf("minictr-cgtest-%d-", os.Getpid())
	serial atomic.Int32
)

// TestMain: the test binary is also the program in the container.
func TestMain(m *testing.M) {
	if mb := number(os.Getenv("CGROUP_TEST_ALLOCATE")); mb > 0 {
		allocate(mb)
	}
	os.Exit(m.Run())
}

// allocate touches memory, a page at a time.
func allocate(mb int64) {
	b := make([]byte, mb<<20)
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
	fmt.Println("allocated", mb, b[0])
	os.Exit(0)
}

func detect(t *testing.T) Hierarchy {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make cgroups")
	}
	h, err := Detect()
	if err != nil {
		t.Fatal(err)
	}
	if h.Mode() == NoMount {
		t.Fatal("no cgroups are mounted on this machine")
	}
	return h
}

// newGroup names a group of this test's own, and checks at the end that
// nothing of it is left.
func newGroup(t *testing.T, r *specs.LinuxResources) Group {
	t.Helper()
	h := detect(t)
	g, err := h.Group(fmt.Sprintf("/%s%d", prefix, serial.Add(1)), r)
	if err != nil {
		t.Fatal(err)
	}
	leak.Watch{Tokens: []string{g.Path[1:]}}.Check(t)
	return g
}

// container runs a program in a group that a plan has made, and undoes the
// plan at the end of the test.
type container struct {
	Group
	t    *testing.T
	pid  int
	out  string // file with what it printed
	gone bool
}

func start(t *testing.T, g Group, namespace bool, env []string, argv ...string) *container {
	t.Helper()
	program, err := exec.LookPath(argv[0])
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	clone := kernel.Clone(kernel.CloneArgs{Flags: unix.CLONE_CLEAR_SIGHAND, Cgroup: g.CloneSlot()})
	env = append(env, "PATH="+os.Getenv("PATH"))
	plan := step.Plan{
		Create(g), Limit(g),
		{Name: "test.clone", Side: step.Clone, Calls: []kernel.Call{clone}},
		Enter(g, namespace),
		{Name: "test.exec", Side: step.Inside, Calls: []kernel.Call{
			kernel.Dup3(kernel.FD("out"), 1, false), kernel.Dup3(kernel.FD("out"), 2, false),
			kernel.Execve(program, argv, env),
		}},
	}
	r := step.Runner{Slots: map[kernel.Slot]int{"out": int(out.Fd())}}
	p, err := r.Run(plan)
	if err != nil {
		t.Fatal(err)
	}
	if fd, ok := p.Slots[Slot]; ok {
		unix.Close(int(fd))
	}
	c := &container{Group: g, t: t, pid: p.PID, out: out.Name()}
	t.Cleanup(func() {
		if err := step.Undo(plan, []string{"cgroup.create"}, nil); err != nil {
			t.Error(err)
		}
		if !c.gone {
			c.wait()
		}
	})
	return c
}

// start2 starts a second process in a group that exists, as exec does. It ends
// with the group.
func start2(t *testing.T, g Group) int {
	t.Helper()
	program, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	clone := kernel.Clone(kernel.CloneArgs{Flags: unix.CLONE_CLEAR_SIGHAND, Cgroup: g.CloneSlot()})
	p, err := (&step.Runner{}).Run(step.Plan{
		Open(g),
		{Name: "test.clone", Side: step.Clone, Calls: []kernel.Call{clone}},
		Enter(g, false),
		{Name: "test.exec", Side: step.Inside, Calls: []kernel.Call{kernel.Execve(program, []string{"sleep", "60"}, nil)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if fd, ok := p.Slots[Slot]; ok {
		unix.Close(int(fd))
	}
	t.Cleanup(func() {
		_ = syscall.Kill(p.PID, syscall.SIGKILL)
		_, _ = syscall.Wait4(p.PID, nil, 0, nil)
	})
	return p.PID
}

func (c *container) wait() (status syscall.WaitStatus, printed string) {
	c.t.Helper()
	c.gone = true
	for {
		_, err := syscall.Wait4(c.pid, &status, 0, nil)
		if err == nil {
			break
		}
		if err != syscall.EINTR {
			c.t.Fatal(err)
		}
	}
	b, err := os.ReadFile(c.out)
	if err != nil {
		c.t.Fatal(err)
	}
	return status, string(b)
}

// eventually waits until a condition holds, far longer than it should take.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestAProcessIsInItsGroupInEveryHierarchy(t *testing.T) {
	g := newGroup(t, nil)
	c := start(t, g, false, nil, "cat", "/proc/self/cgroup")
	_, printed := c.wait()
	in := make(map[string]string) // controller → path; "" is cgroup2
	for line := range strings.Lines(printed) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for controller := range strings.SplitSeq(f[1], ",") {
			in[controller] = f[2]
		}
	}
	if g.Hierarchy.Unified != "" && in[""] != g.Path {
		t.Errorf("in cgroup2 it is in %s, not in %s", in[""], g.Path)
	}
	for _, controller := range g.joined {
		if in[controller] != g.Path {
			t.Errorf("under %s it is in %s, not in %s", controller, in[controller], g.Path)
		}
	}
}

func TestANamespaceMakesTheGroupTheRoot(t *testing.T) {
	g := newGroup(t, nil)
	_, printed := start(t, g, true, nil, "cat", "/proc/self/cgroup").wait()
	if printed == "" || strings.Contains(printed, prefix) {
		t.Errorf("the process still sees its path:\n%s", printed)
	}
	if g.Hierarchy.Unified != "" && !strings.Contains(printed, "0::/\n") {
		t.Errorf("its cgroup2 path is not the root:\n%s", printed)
	}
}

func TestAMemoryLimitKillsWhoExceedsIt(t *testing.T) {
	limit := int64(48 << 20)
	g := newGroup(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, g, true, []string{"CGROUP_TEST_ALLOCATE=4"}, self)
	if status, printed := c.wait(); status.ExitStatus() != 0 || g.OOMKilled() {
		t.Errorf("within its limit it ended with %v, said %q, killed by the kernel: %v", status, printed, g.OOMKilled())
	}
	g = newGroup(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}})
	c = start(t, g, true, []string{"CGROUP_TEST_ALLOCATE=256"}, self)
	status, printed := c.wait()
	if status.Signal() != syscall.SIGKILL {
		t.Errorf("256 MiB under a limit of 48: ended with %v, said %q", status, printed)
	}
	if !g.OOMKilled() {
		t.Error("the group does not know that the kernel killed its process")
	}
}

func TestAPidsLimitStopsForks(t *testing.T) {
	limit := int64(12)
	g := newGroup(t, &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}})
	c := start(t, g, true, nil, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do sleep 60 & done; echo all; sleep 60")
	eventually(t, "a fork is refused", func() bool {
		text, err := readFile(g.Dir("pids") + "/pids.events")
		return err == nil && keyed(text, "max") > 0
	})
	// What the shell started stays behind in the group: the undo must find it.
	eventually(t, "the shell gives up", func() bool {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(c.pid, &status, syscall.WNOHANG, nil)
		return err == nil && pid == c.pid && status.ExitStatus() != 0
	})
	c.gone = true
	pids, err := g.Procs()
	if err != nil || len(pids) < 5 || len(pids) > int(limit) {
		t.Errorf("the group holds %d processes, limit %d (%v)", len(pids), limit, err)
	}
}

func TestACPUQuotaThrottles(t *testing.T) {
	quota, period := int64(5000), uint64(100000)
	g := newGroup(t, &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: &quota, Period: &period}})
	start(t, g, false, nil, "sh", "-c", "while :; do :; done")
	eventually(t, "the process is throttled", func() bool {
		text, err := readFile(g.Dir("cpu") + "/cpu.stat")
		return err == nil && keyed(text, "nr_throttled") > 2
	})
}

func TestACpusetBindsToItsProcessors(t *testing.T) {
	g := newGroup(t, &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "1"}})
	_, printed := start(t, g, false, nil, "grep", "^Cpus_allowed_list", "/proc/self/status").wait()
	if strings.Join(strings.Fields(printed), " ") != "Cpus_allowed_list: 1" {
		t.Errorf("allowed: %q, want processor 1 alone", printed)
	}
}

func TestANestedPathMakesItsParents(t *testing.T) {
	h := detect(t)
	limit, parent := int64(5), fmt.Sprintf("/%s%d", prefix, serial.Add(1))
	leak.Watch{Tokens: []string{parent}}.Check(t)
	g, err := h.Group(parent+"/middle/leaf", &specs.LinuxResources{
		Pids: &specs.LinuxPids{Limit: &limit}, CPU: &specs.LinuxCPU{Cpus: "0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // parents stay, so the test removes them
		for _, dir := range g.everywhere() {
			_ = os.Remove(filepath.Dir(dir))
			_ = os.Remove(filepath.Dir(filepath.Dir(dir)))
		}
	})
	start(t, g, true, nil, "sleep", "60")
	if got, err := readFile(g.Dir("pids") + "/pids.max"); got != "5" {
		t.Errorf("pids.max is %q (%v)", got, err)
	}
}

// made makes the first n calls of a step, which is what a crash leaves.
func made(t *testing.T, s step.Step, n int) {
	t.Helper()
	h := kernel.NewHost()
	for _, c := range s.Calls[:n] {
		if _, err := h.Do(c); err != nil {
			t.Fatal(err)
		}
	}
	for _, slot := range []kernel.Slot{Slot, "subtree"} {
		if fd, ok := h.Slots[slot]; ok {
			unix.Close(int(fd)) // twice for some: EBADF
		}
	}
}

func undo(s step.Step) error { return step.Undo(step.Plan{s}, []string{s.Name}, nil) }

func TestAnUndoAfterAnyPartLeavesNothing(t *testing.T) {
	g := newGroup(t, nil)
	s := Create(g)
	for n := range len(s.Calls) + 1 {
		made(t, s, n)
		for _, when := range []string{"once", "twice"} {
			if err := undo(s); err != nil {
				t.Errorf("undone %s after %d calls: %v", when, n, err)
			}
		}
		for _, dir := range g.everywhere() {
			if _, err := os.Lstat(dir); err == nil {
				t.Errorf("after %d calls and undo %s is there", n, dir)
			}
		}
	}
}

func TestGroupsThatTheContainerMadeGoToo(t *testing.T) {
	g := newGroup(t, nil)
	c := start(t, g, false, nil, "sleep", "60")
	for _, dir := range append(g.joinedDirs(), g.anchor()) {
		if err := os.MkdirAll(dir+"/a/b", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(g.anchor()+"/a/b/cgroup.procs", []byte(fmt.Sprint(c.pid)), 0); err != nil {
		t.Fatal(err)
	}
	pids, err := g.Procs()
	if err != nil || len(pids) != 1 || pids[0] != c.pid {
		t.Errorf("the group's processes are %v, want %d (%v)", pids, c.pid, err)
	}
}

func TestSomebodyElsesCgroupIsLeftAlone(t *testing.T) {
	g := newGroup(t, nil)
	if err := os.Mkdir(g.anchor(), 0o755); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = other.Process.Kill()
		_ = other.Wait()
		eventually(t, "the other's cgroup is removed", func() bool { return os.Remove(g.anchor()) == nil })
	})
	if err := os.WriteFile(g.anchor()+"/cgroup.procs", []byte(fmt.Sprint(other.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	s := Create(g)
	h := kernel.NewHost()
	var err error
	for _, c := range s.Calls {
		if _, err = h.Do(c); err != nil {
			break
		}
	}
	if !errors.Is(err, unix.EEXIST) {
		t.Errorf("creating it said %v, want EEXIST", err)
	}
	if err := undo(s); err != nil {
		t.Error(err)
	}
	if pids, err := g.Procs(); len(pids) != 1 || err != nil {
		t.Errorf("the other's cgroup holds %v now (%v)", pids, err)
	}
}
