package cgroup

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"minictr/pkg/leak"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// v1Group is a group on a machine like this one without its cgroup2: the
// oldest of the worlds, in which members are found and killed through the
// freezer.
func v1Group(t *testing.T, r *specs.LinuxResources) Group {
	t.Helper()
	h := detect(t)
	h.Unified, h.Controllers = "", nil
	if h.V1["freezer"] == "" || h.V1["memory"] == "" {
		t.Skip("no v1 hierarchies with freezer and memory here")
	}
	g, err := h.Group(fmt.Sprintf("/%s%d", prefix, serial.Add(1)), r)
	if err != nil {
		t.Fatal(err)
	}
	leak.Watch{Tokens: []string{g.Path[1:]}}.Check(t)
	return g
}

func TestOnV1AloneALimitBinds(t *testing.T) {
	limit := int64(48 << 20)
	g := v1Group(t, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}, CPU: &specs.LinuxCPU{Cpus: "0"}})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, g, true, []string{"CGROUP_TEST_ALLOCATE=256"}, self)
	if status, printed := c.wait(); status.Signal() != syscall.SIGKILL || !g.OOMKilled() {
		t.Errorf("256 MiB under a limit of 48: ended with %v, said %q", status, printed)
	}
	if s, err := g.Stats(); err != nil || s.Memory.OOMKills != 1 || s.CPU.Usage == 0 || s.Memory.Peak == 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestOnV1AloneTheUndoKillsAllMembers(t *testing.T) {
	g := v1Group(t, nil)
	c := start(t, g, false, nil, "sh", "-c", "sleep 60 & sleep 60 & wait")
	eventually(t, "three processes run", func() bool { pids, _ := g.Procs(); return len(pids) == 3 })
	if err := undo(Create(g)); err != nil {
		t.Fatal(err)
	}
	if status, _ := c.wait(); status.Signal() != syscall.SIGKILL {
		t.Errorf("the shell ended with %v", status)
	}
}

func TestOnV1AloneTheFreezerHoldsProcesses(t *testing.T) {
	g := v1Group(t, nil)
	c := start(t, g, false, nil, "sleep", "60")
	if err := g.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := g.Kill(unix.SIGTERM); err != nil { // it waits until the thaw
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(c.pid, &status, syscall.WNOHANG, nil); pid != 0 || err != nil {
		t.Errorf("a frozen process ended: %v, %v", status, err)
	}
	if err := g.Thaw(); err != nil {
		t.Fatal(err)
	}
	if status, _ := c.wait(); status.Signal() != syscall.SIGTERM {
		t.Errorf("it ended with %v", status)
	}
}

// Every limit that this machine knows, in one container: the kernel takes
// what we write, and says the same when asked.
func TestTheKernelTakesEveryLimit(t *testing.T) {
	h := detect(t)
	r := specs.LinuxResources{
		Memory: &specs.LinuxMemory{Limit: ptr[int64](64 << 20), Swap: ptr[int64](128 << 20), Reservation: ptr[int64](32 << 20)},
		CPU: &specs.LinuxCPU{
			Shares: ptr[uint64](2048), Quota: ptr[int64](150000), Period: ptr[uint64](50000), Burst: ptr[uint64](1000),
			Cpus: "0-1", Mems: "0",
		},
		Pids: &specs.LinuxPids{Limit: ptr[int64](64)},
	}
	want := []string{"cpuset.cpus=0-1", "cpuset.mems=0", "pids.max=64"}
	if h.Unifies("memory") {
		want = append(want, "memory.max=67108864", "memory.low=33554432", "cpu.weight=174", "cpu.max=150000 50000", "cpu.max.burst=1000", "memory.high=60817408")
		r.Unified = map[string]string{"memory.high": "58M"}
	} else {
		want = append(want, "memory.limit_in_bytes=67108864", "memory.soft_limit_in_bytes=33554432", "cpu.shares=2048", "cpu.cfs_quota_us=150000", "cpu.cfs_burst_us=1000")
	}
	if h.Unified != "" {
		if r.Unified == nil {
			r.Unified = make(map[string]string)
		}
		r.Unified["cgroup.max.depth"] = "3"
		want = append(want, "cgroup.max.depth=3")
	}
	if h.Mode() == V2 && h.Unifies("hugetlb") { // on hybrid it would stay enabled at the root of this machine
		r.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}
		want = append(want, "hugetlb.2MB.max=4194304", "hugetlb.2MB.rsvd.max=4194304")
	}
	if major, minor, ok := disk(t); ok {
		d := specs.LinuxThrottleDevice{Rate: 1 << 20}
		d.Major, d.Minor = major, minor
		r.BlockIO = &specs.LinuxBlockIO{ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{d}}
		if h.Unifies("io") {
			want = append(want, fmt.Sprintf("io.max=%d:%d rbps=1048576 wbps=max riops=max wiops=max", major, minor))
		} else {
			want = append(want, fmt.Sprintf("blkio.throttle.read_bps_device=%d:%d 1048576", major, minor))
		}
	}
	g := newGroup(t, &r)
	start(t, g, true, nil, "sleep", "60")
	var got []string
	for _, file := range g.Files() {
		text, err := readFile(file)
		if err != nil && !strings.Contains(file, "swap") && !strings.Contains(file, "memsw") {
			t.Error(err)
		}
		got = append(got, file[strings.LastIndex(file, "/")+1:]+"="+text)
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("no %s among %q", w, got)
		}
	}
}

// disk finds a whole disk of this machine, if it has one.
func disk(t *testing.T) (major, minor int64, ok bool) {
	t.Helper()
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		return 0, 0, false
	}
	for _, e := range entries {
		size, err := readFile("/sys/block/" + e.Name() + "/size")
		if err != nil || number(size) == 0 {
			continue
		}
		text, err := readFile("/sys/block/" + e.Name() + "/dev")
		if err != nil {
			continue
		}
		if _, err := fmt.Sscanf(text, "%d:%d", &major, &minor); err == nil {
			return major, minor, true
		}
	}
	return 0, 0, false
}
