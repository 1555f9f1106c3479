package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestStatsCountWhatTheContainerUses(t *testing.T) {
	memory, pids, quota := int64(96<<20), int64(50), int64(20000)
	g := newGroup(t, &specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: &memory}, Pids: &specs.LinuxPids{Limit: &pids}, CPU: &specs.LinuxCPU{Quota: &quota},
	})
	start(t, g, false, nil, "sh", "-c", "while :; do :; done & while :; do :; done")
	var s Stats
	eventually(t, "two processes are counted, and their processor time, and what the quota held back", func() bool {
		var err error
		if s, err = g.Stats(); err != nil {
			t.Fatal(err)
		}
		return s.Pids.Current == 2 && s.CPU.Throttled > 0 && s.CPU.ThrottledTime > 0 && s.CPU.Usage > 5*time.Millisecond && s.CPU.User+s.CPU.System > 0
	})
	if s.Memory.Limit != uint64(memory) || s.Memory.Usage == 0 || s.Memory.Usage > s.Memory.Limit || s.Memory.Working() > s.Memory.Usage {
		t.Errorf("memory: %+v", s.Memory)
	}
	if s.Pids.Limit != uint64(pids) {
		t.Errorf("pids: %+v, want a limit of %d", s.Pids, pids)
	}
	if s.Read.IsZero() {
		t.Error("the time of reading is missing")
	}
}

func TestStatsOfNoGroupAreAnError(t *testing.T) {
	g, err := detect(t).Group("/"+prefix+"nowhere", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Stats(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if pids, err := g.Procs(); len(pids) != 0 || err != nil {
		t.Errorf("its processes: %v, %v", pids, err)
	}
	if g.OOMKilled() {
		t.Error("it was killed by the kernel")
	}
	if err := g.Thaw(); err != nil { // as after a kill
		t.Error(err)
	}
	if err := g.Freeze(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("freeze: %v, want fs.ErrNotExist", err)
	}
}

func TestFrozenProcessesStandStill(t *testing.T) {
	g := newGroup(t, nil)
	c := start(t, g, false, nil, "sh", "-c", "while :; do :; done")
	usage := func() time.Duration {
		s, err := g.Stats()
		if err != nil {
			t.Fatal(err)
		}
		return s.CPU.Usage
	}
	eventually(t, "the process runs", func() bool { return usage() > 0 })
	if err := g.Freeze(); err != nil {
		t.Fatal(err)
	}
	frozen, err := g.Frozen()
	if err != nil || !frozen {
		t.Errorf("frozen: %v, %v", frozen, err)
	}
	before := usage()
	time.Sleep(100 * time.Millisecond)
	if after := usage(); after > before+time.Millisecond {
		t.Errorf("a frozen process went on for %v", after-before)
	}
	if err := g.Thaw(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process goes on", func() bool { return usage() > before+2*time.Millisecond })
	if err := g.Freeze(); err != nil { // a frozen container can be killed and removed
		t.Fatal(err)
	}
	if err := g.Kill(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if status, _ := c.wait(); status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", status)
	}
}

func TestASignalReachesEveryProcess(t *testing.T) {
	g := newGroup(t, nil)
	c := start(t, g, false, nil, "sh", "-c", "sleep 60 & sleep 60 & wait")
	eventually(t, "three processes run", func() bool { pids, _ := g.Procs(); return len(pids) == 3 })
	if err := g.Kill(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status, _ := c.wait(); status.Signal() != syscall.SIGTERM {
		t.Errorf("the shell ended with %v", status)
	}
	eventually(t, "no process is left", func() bool { pids, _ := g.Procs(); return len(pids) == 0 })
}

func TestAnUpdateBindsAtOnce(t *testing.T) {
	low, high, sum := int64(64<<20), int64(256<<20), int64(512<<20)
	g := newGroup(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &low, Swap: &low}})
	c := start(t, g, false, nil, "sh", "-c", "sleep 60 & wait")
	eventually(t, "two processes run", func() bool { pids, _ := g.Procs(); return len(pids) == 2 })
	for _, m := range []*specs.LinuxMemory{
		{Limit: &high, Swap: &sum}, // raised beyond the old sum
		{Limit: &low, Swap: &high}, // and lowered again
	} {
		if _, err := g.Update(&specs.LinuxResources{Memory: m}); err != nil {
			t.Fatal(err)
		}
		if s, err := g.Stats(); err != nil || s.Memory.Limit != uint64(*m.Limit) {
			t.Errorf("limit %d, want %d (%v)", s.Memory.Limit, *m.Limit, err)
		}
	}
	// A controller that it was not under before.
	r := specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "1"}}
	if _, err := g.Update(&r); err != nil {
		t.Fatal(err)
	}
	status, err := readFile(fmt.Sprintf("/proc/%d/status", c.pid))
	if err != nil || !strings.Contains(status, "Cpus_allowed_list:\t1\n") {
		t.Errorf("its processors are not those of the update (%v):\n%s", err, status)
	}
	tiny, yes := int64(4096), true
	r = specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &tiny, Swap: &tiny, CheckBeforeUpdate: &yes}}
	if _, err := g.Update(&r); err == nil {
		t.Error("a limit below the usage was accepted")
	}
}

// TestALimitForWhatHasEndedLeavesNothing: its cgroup is gone, and must not come back
// in part, where the container's next start would find it.
func TestALimitForWhatHasEndedLeavesNothing(t *testing.T) {
	g := newGroup(t, nil)
	limit := int64(64 << 20)
	_, err := g.Update(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}, CPU: &specs.LinuxCPU{Cpus: "0"}})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an update of nothing: %v", err)
	}
	for _, controller := range []string{"memory", "cpuset", "pids"} {
		if _, err := os.Stat(g.Dir(controller)); err == nil {
			t.Errorf("it made %s", g.Dir(controller))
			_ = os.Remove(g.Dir(controller))
		}
	}
}

func TestARefusedUpdateClosesItsFiles(t *testing.T) {
	g := newGroup(t, nil)
	start(t, g, false, nil, "sleep", "60")
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := open()
	if _, err := g.Update(&specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "99999"}}); err == nil {
		t.Error("a processor that does not exist was accepted")
	}
	if after := open(); after != before {
		t.Errorf("%d files open, %d before", after, before)
	}
}

func TestAProcessInAGroupOfTheContainersOwnIsFollowed(t *testing.T) {
	g := newGroup(t, nil)
	c := start(t, g, false, nil, "sleep", "60")
	if g.Hierarchy.Mode() == V2 {
		if err := os.Mkdir(g.Unified()+"/init", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(g.Unified()+"/init/cgroup.procs", []byte(fmt.Sprint(c.pid)), 0); err != nil {
			t.Fatal(err)
		}
	}
	followed, err := g.Follow(c.pid)
	want := g.Path
	if g.Hierarchy.Mode() == V2 {
		want += "/init"
	}
	if err != nil || followed.Path != want {
		t.Errorf("followed to %s, %v; want %s", followed.Path, err, want)
	}
	if g.Hierarchy.Mode() != V2 {
		return
	}
	if _, err := g.Follow(os.Getpid()); err == nil {
		t.Error("a process of somebody else's was followed")
	}
}

// What a plan asks the kernel is little.
func TestDetectingIsQuick(t *testing.T) {
	detect(t)
	best := time.Hour
	for range 20 {
		from := time.Now()
		if _, err := Detect(); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(from))
	}
	if best > 20*time.Millisecond { // usually 0.05; this machine may be an emulated one
		t.Errorf("it takes %v at best", best)
	}
	t.Logf("%v at best", best)
}

func TestIOStatisticsOfBothWorlds(t *testing.T) {
	want := []IOStats{{Major: 8, Minor: 16, ReadBytes: 4096, WriteBytes: 8192, Reads: 1, Writes: 2}}
	got := parseIOStat("8:16 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n8:0\nnonsense here\n")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("io.stat: %+v", got)
	}
	got = parseBlkio("8:16 Read 4096\n8:16 Write 8192\n8:16 Sync 1\n8:16 Total 12288\nTotal 12288\n",
		"8:16 Read 1\n8:16 Write 2\nTotal 3\n")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("blkio: %+v", got)
	}
}

func FuzzIOStatistics(f *testing.F) {
	f.Add("8:16 rbytes=1 wbytes=2", "8:0 Read 3")
	f.Fuzz(func(t *testing.T, v2, v1 string) {
		if n := len(parseIOStat(v2)); n > strings.Count(v2, "\n")+1 {
			t.Errorf("%d devices", n)
		}
		if n := len(parseBlkio(v1, v2)); n > strings.Count(v1+"\n"+v2, "\n")+1 {
			t.Errorf("%d devices", n)
		}
	})
}

func TestTheUnifiedLineOfAProcess(t *testing.T) {
	for text, want := range map[string]string{
		"0::/a/b\n": "/a/b", "4:memory:/x\n0::/y\n": "/y", "0::/gone (deleted)\n": "/gone", "4:memory:/x\n": "", "": "",
	} {
		if got := unifiedPath(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWhatCannotBeLimitedIsLeftOutWithAWarning(t *testing.T) {
	weight := uint16(100)
	r := specs.LinuxResources{
		Memory:         &specs.LinuxMemory{Limit: ptr[int64](1), Swap: ptr[int64](2), Swappiness: ptr[uint64](3), DisableOOMKiller: ptr(true)},
		CPU:            &specs.LinuxCPU{Quota: ptr[int64](1), Cpus: "0"},
		Pids:           &specs.LinuxPids{Limit: ptr[int64](1)},
		BlockIO:        &specs.LinuxBlockIO{Weight: &weight},
		HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 1}},
		Network:        &specs.LinuxNetwork{ClassID: ptr[uint32](1)},
		Rdma:           map[string]specs.LinuxRdma{"x": {HcaHandles: ptr[uint32](1)}},
	}
	bare := Hierarchy{Unified: t.TempDir()}
	fitted, warnings := bare.Fit(&r)
	if list, err := bare.settings(fitted, cpuset{}); err != nil || len(list) != 0 {
		t.Errorf("on a machine without controllers: %q, %v", written(list), err)
	}
	if len(warnings) != 8 {
		t.Errorf("%d warnings, want 8: %q", len(warnings), warnings)
	}
	full := Hierarchy{Unified: t.TempDir(), Controllers: v2.Controllers}
	fitted, warnings = full.Fit(&r)
	if _, err := full.settings(fitted, cpuset{}); err != nil {
		t.Errorf("on a machine with all of them: %v", err)
	}
	if len(warnings) != 3 || *fitted.Memory.Limit != 1 || *fitted.Memory.Swap != 2 {
		t.Errorf("warnings %q, memory %+v", warnings, fitted.Memory)
	}
	if r.Memory.Swappiness == nil || r.Network == nil {
		t.Error("the original was changed")
	}
}

func TestAKernelThatDoesNotCountSwapLimitsMemoryAlone(t *testing.T) {
	root := t.TempDir()
	h := Hierarchy{Unified: root, Controllers: []string{"memory", "io"}}
	if err := os.MkdirAll(root+"/x", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"memory.max", "io.max"} {
		if err := os.WriteFile(filepath.Join(root, "x", file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	weight := uint16(100)
	fitted, warnings := h.Fit(&specs.LinuxResources{
		Memory:  &specs.LinuxMemory{Limit: ptr[int64](1), Swap: ptr[int64](2)},
		BlockIO: &specs.LinuxBlockIO{Weight: &weight},
	})
	if fitted.Memory.Swap != nil || *fitted.Memory.Limit != 1 || fitted.BlockIO.Weight != nil || len(warnings) != 2 {
		t.Errorf("memory %+v, io %+v, warnings %q", fitted.Memory, fitted.BlockIO, warnings)
	}
}

func TestAProcessThatJoinsIsInTheSameGroup(t *testing.T) {
	g := newGroup(t, nil)
	start(t, g, true, nil, "sleep", "60")
	text, err := exec.Command("cat", "/proc/self/cgroup").Output()
	if err != nil || strings.Contains(string(text), prefix) {
		t.Fatalf("this test itself moved: %s, %v", text, err)
	}
	pids, err := g.Procs()
	if err != nil || len(pids) != 1 {
		t.Fatal(pids, err)
	}
	joined := start2(t, g)
	text, err = os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", joined))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), g.Path) {
		t.Errorf("the second process is in\n%s", text)
	}
	if pids, err = g.Procs(); err != nil || len(pids) != 2 {
		t.Errorf("the group holds %v, %v", pids, err)
	}
}
