package cgroup

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func ptr[T any](v T) *T { return &v }

func TestMountTablesOfManyMachines(t *testing.T) {
	for name, tc := range map[string]struct {
		table string
		want  Hierarchy
		mode  Mode
	}{
		"pure v2": {
			"30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate",
			Hierarchy{Unified: "/sys/fs/cgroup"},
			V2,
		},
		"hybrid": {
			`
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`,
			Hierarchy{Unified: "/sys/fs/cgroup/unified", V1: map[string]string{
				"cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
				"memory": "/sys/fs/cgroup/memory", "name=systemd": "/sys/fs/cgroup/systemd",
			}},
			Hybrid,
		},
		"v1 alone": {
			"35 31 0:32 / /cg/memory rw - cgroup none rw,memory",
			Hierarchy{V1: map[string]string{"memory": "/cg/memory"}},
			V1,
		},
		"elsewhere, with a blank": {
			`35 31 0:32 / /my\040cg rw - cgroup2 none rw`,
			Hierarchy{Unified: "/my cg"},
			V2,
		},
		"a container's bind mount beside the real one": {
			`
50 31 0:38 /docker/4f1 /var/lib/x/cgroup rw - cgroup2 cgroup2 rw
41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
51 31 0:38 / /mnt/ro ro - cgroup2 cgroup2 rw`,
			Hierarchy{Unified: "/sys/fs/cgroup"},
			V2,
		},
		"in a container on v1: the mount shows its own cgroup": {
			"35 31 0:32 /docker/4f1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory",
			Hierarchy{V1: map[string]string{"memory": "/sys/fs/cgroup/memory"}},
			V1,
		},
		"a namespace's own mount before the host's": {
			`
41 31 0:38 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw
42 31 0:38 / /mine rw - cgroup2 cgroup2 rw`,
			Hierarchy{Unified: "/mine"},
			V2,
		},
		"covered by another mount": {
			`
41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
42 41 0:39 / /sys/fs/cgroup rw - tmpfs tmpfs rw`,
			Hierarchy{},
			NoMount,
		},
		"nothing": {"22 1 254:0 / / rw - ext4 /dev/root rw", Hierarchy{}, NoMount},
	} {
		got, err := parseMountinfo(strings.NewReader(tc.table))
		if err != nil || !reflect.DeepEqual(got, tc.want) || got.Mode() != tc.mode {
			t.Errorf("%s: got %+v, mode %s, %v\nwant %+v, mode %s", name, got, got.Mode(), err, tc.want, tc.mode)
		}
	}
}

func FuzzMountTable(f *testing.F) {
	f.Add("30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw")
	f.Add(`35 31 0:32 / /my\04 rw - cgroup none rw,memory,name=`)
	f.Fuzz(func(t *testing.T, table string) {
		h, err := parseMountinfo(strings.NewReader(table))
		if err != nil {
			return
		}
		for c, point := range h.V1 {
			if c == "" || point == "" {
				t.Errorf("controller %q at %q", c, point)
			}
		}
	})
}

// Two machines with everything.
var (
	v2 = Hierarchy{Unified: "/cg", Controllers: []string{"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"}}
	v1 = Hierarchy{V1: map[string]string{
		"cpuset": "/cg/cpuset", "cpu": "/cg/cpu", "cpuacct": "/cg/cpu", "blkio": "/cg/blkio", "memory": "/cg/memory", "hugetlb": "/cg/hugetlb",
		"pids": "/cg/pids", "rdma": "/cg/rdma", "net_cls": "/cg/net", "net_prio": "/cg/net", "freezer": "/cg/freezer", "devices": "/cg/devices",
	}}
)

// written prints settings as "controller/file=value".
func written(list []setting) []string {
	var out []string
	for _, s := range list {
		text := s.controller + "/" + s.file + "=" + s.value
		if s.optional {
			text += " if there"
		}
		if s.instead != nil {
			text += ", else " + s.instead.controller + "/" + s.instead.file + "=" + s.instead.value
		}
		out = append(out, text)
	}
	return out
}

func TestResourcesBecomeFiles(t *testing.T) {
	throttle := func(rate uint64) []specs.LinuxThrottleDevice {
		d := specs.LinuxThrottleDevice{Rate: rate}
		d.Major, d.Minor = 8, 16
		return []specs.LinuxThrottleDevice{d}
	}
	for name, tc := range map[string]struct {
		r          specs.LinuxResources
		onV2, onV1 []string
	}{
		"nothing": {},
		"zeros say nothing": {r: specs.LinuxResources{
			Memory: &specs.LinuxMemory{Limit: ptr[int64](0), Swap: ptr[int64](0)},
			CPU:    &specs.LinuxCPU{Shares: ptr[uint64](0), Quota: ptr[int64](0)}, BlockIO: &specs.LinuxBlockIO{},
		}},
		"memory and swap": {
			specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](100), Swap: ptr[int64](300), Reservation: ptr[int64](50)}},
			[]string{"memory/memory.max=100", "memory/memory.swap.max=200 if there", "memory/memory.low=50"},
			[]string{"memory/memory.limit_in_bytes=100", "memory/memory.memsw.limit_in_bytes=300 if there", "memory/memory.soft_limit_in_bytes=50"},
		},
		"no swap": {
			specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](100), Swap: ptr[int64](100)}},
			[]string{"memory/memory.max=100", "memory/memory.swap.max=0 if there"},
			[]string{"memory/memory.limit_in_bytes=100", "memory/memory.memsw.limit_in_bytes=100 if there"},
		},
		"any swap": {
			specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](100), Swap: ptr[int64](-1)}},
			[]string{"memory/memory.max=100", "memory/memory.swap.max=max if there"},
			[]string{"memory/memory.limit_in_bytes=100", "memory/memory.memsw.limit_in_bytes=-1 if there"},
		},
		"limits taken away": {
			specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](-1)}, CPU: &specs.LinuxCPU{Quota: ptr[int64](-1)}, Pids: &specs.LinuxPids{Limit: ptr[int64](-1)}},
			[]string{"memory/memory.max=max", "memory/memory.swap.max=max if there", "cpu/cpu.max=max 100000", "pids/pids.max=max"},
			[]string{"memory/memory.limit_in_bytes=-1", "memory/memory.memsw.limit_in_bytes=-1 if there", "cpu/cpu.cfs_quota_us=-1", "pids/pids.max=max"},
		},
		"processor time": {
			specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr[uint64](1024), Quota: ptr[int64](150000), Period: ptr[uint64](100000), Burst: ptr[uint64](1000)}},
			[]string{"cpu/cpu.weight=100", "cpu/cpu.max=150000 100000", "cpu/cpu.max.burst=1000"},
			[]string{"cpu/cpu.shares=1024", "cpu/cpu.cfs_period_us=100000", "cpu/cpu.cfs_quota_us=150000", "cpu/cpu.cfs_burst_us=1000"},
		},
		"a quota in the kernel's period": {
			specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr[int64](50000)}},
			[]string{"cpu/cpu.max=50000 100000"},
			[]string{"cpu/cpu.cfs_quota_us=50000"},
		},
		"idle": {
			specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: ptr[int64](1), Shares: ptr[uint64](512)}},
			[]string{"cpu/cpu.idle=1"},
			[]string{"cpu/cpu.idle=1"},
		},
		"a cpuset": {
			specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0-1"}},
			[]string{"cpuset/cpuset.cpus=0-1"},
			[]string{"cpuset/cpuset.cpus=0-1", "cpuset/cpuset.mems=0"},
		},
		"pids": {
			specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](7)}},
			[]string{"pids/pids.max=7"},
			[]string{"pids/pids.max=7"},
		},
		"a disk's rates": {
			specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{ThrottleReadBpsDevice: throttle(1000), ThrottleWriteIOPSDevice: throttle(0)}},
			[]string{"io/io.max=8:16 rbps=1000", "io/io.max=8:16 wiops=max"},
			[]string{"blkio/blkio.throttle.read_bps_device=8:16 1000", "blkio/blkio.throttle.write_iops_device=8:16 0"},
		},
		"a disk's weight": {
			specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr[uint16](1000)}},
			[]string{"io/io.bfq.weight=1000 if there, else io/io.weight=default 10000"},
			[]string{"blkio/blkio.bfq.weight=1000 if there, else blkio/blkio.weight=1000"},
		},
		"huge pages": {
			specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4096}}},
			[]string{"hugetlb/hugetlb.2MB.max=4096", "hugetlb/hugetlb.2MB.rsvd.max=4096 if there"},
			[]string{"hugetlb/hugetlb.2MB.limit_in_bytes=4096", "hugetlb/hugetlb.2MB.rsvd.limit_in_bytes=4096 if there"},
		},
		"rdma": {
			specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"mlx": {HcaHandles: ptr[uint32](2)}}},
			[]string{"rdma/rdma.max=mlx hca_handle=2"},
			[]string{"rdma/rdma.max=mlx hca_handle=2"},
		},
	} {
		for _, world := range []struct {
			h    Hierarchy
			want []string
		}{{v2, tc.onV2}, {v1, tc.onV1}} {
			list, err := world.h.settings(&tc.r, cpuset{"0-7", "0"})
			if got := written(list); err != nil || !reflect.DeepEqual(got, world.want) {
				t.Errorf("%s on %s: got %q, %v\nwant %q", name, world.h.Mode(), got, err, world.want)
			}
		}
	}
}

func TestWhatCannotBeLimitedIsNamed(t *testing.T) {
	bare := Hierarchy{Unified: "/cg"}
	for _, tc := range []struct {
		h    Hierarchy
		r    specs.LinuxResources
		want error
	}{
		{bare, specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](1)}}, ErrNoController{"memory", "memory"}},
		{bare, specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr[int64](1)}}, ErrNoController{"cpu", "cpu"}},
		{bare, specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0"}}, ErrNoController{"cpuset", "cpu.cpus"}},
		{bare, specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](1)}}, ErrNoController{"pids", "pids.limit"}},
		{bare, specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr[uint16](10)}}, ErrNoController{"blkio", "blockIO"}},
		{bare, specs.LinuxResources{Unified: map[string]string{"memory.high": "1"}}, ErrNoController{"memory", "unified.memory.high"}},
	} {
		_, err := tc.h.Group("/x", &tc.r)
		if !errors.Is(err, tc.want) {
			t.Errorf("got %v, want %v", err, tc.want)
		}
	}
	for _, tc := range []struct {
		h Hierarchy
		r specs.LinuxResources
	}{
		{v2, specs.LinuxResources{Memory: &specs.LinuxMemory{Swappiness: ptr[uint64](1)}}},
		{v2, specs.LinuxResources{Memory: &specs.LinuxMemory{DisableOOMKiller: ptr(true)}}},
		{v2, specs.LinuxResources{CPU: &specs.LinuxCPU{RealtimeRuntime: ptr[int64](1)}}},
		{v2, specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr[uint32](1)}}},
		{v2, specs.LinuxResources{Unified: map[string]string{"cgroup.procs": "1"}}},
		{v2, specs.LinuxResources{Unified: map[string]string{"../cgroup.max.depth": "1"}}},
		{v1, specs.LinuxResources{Unified: map[string]string{"memory.high": "1"}}},
		{v1, specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{LeafWeight: ptr[uint16](10)}}},
	} {
		var no ErrNoSetting
		if _, err := tc.h.Group("/x", &tc.r); !errors.As(err, &no) {
			t.Errorf("%+v: got %v, want ErrNoSetting", tc.r, err)
		}
	}
	if _, err := (Hierarchy{}).Group("/x", nil); !errors.As(err, new(ErrNoController)) {
		t.Errorf("a machine without cgroups: %v", err)
	}
}

func TestMemoryAndSwapMustFit(t *testing.T) {
	for _, tc := range []struct{ limit, swap int64 }{{100, 50}, {0, 50}} {
		r := specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &tc.limit, Swap: &tc.swap}}
		for _, h := range []Hierarchy{v1, v2} {
			if _, err := h.settings(&r, cpuset{}); err == nil {
				t.Errorf("limit %d with swap %d is accepted on %s", tc.limit, tc.swap, h.Mode())
			}
		}
	}
}

func TestPathsThatAreNoCgroupOfOnesOwn(t *testing.T) {
	for _, p := range []string{"", "/", "//", "/a/../..", "..", "/a/..", ".", "/a\x00b"} {
		if g, err := v2.Group(p, nil); err == nil {
			t.Errorf("path %q is accepted as %s", p, g.Path)
		}
	}
	for _, p := range []string{"x", "/x", "//x/"} {
		if g, err := v2.Group(p, nil); err != nil || g.Path != "/x" {
			t.Errorf("path %q became %q, %v", p, g.Path, err)
		}
	}
}

func TestTheWeightOfSharesFitsBothDefaults(t *testing.T) {
	for shares, want := range map[uint64]uint64{0: 1, 1: 1, 2: 1, 512: 59, 1024: 100, 2048: 174, 262144: 10000, 1 << 40: 10000} {
		if got := Weight(shares); got != want {
			t.Errorf("shares %d: weight %d, want %d", shares, got, want)
		}
	}
	for last, s := uint64(0), uint64(2); s < 262144; s += 97 {
		w := Weight(s)
		if w < last || w < 1 || w > 10000 {
			t.Fatalf("weight %d of %d shares follows %d", w, s, last)
		}
		last = w
	}
}

func TestAMissingFileIsReplaced(t *testing.T) {
	s := setting{file: "a", value: "1", optional: true, instead: &setting{file: "b", value: "2"}}
	var got []string
	for _, c := range s.calls("/cg") {
		got = append(got, fmt.Sprintf("%s %s %v", c.Name, c.When.Slot, c.When.Failed))
	}
	want := []string{
		"openat  false", "write /cg/a false", "close /cg/a false",
		"openat /cg/a true", "write /cg/a true", "close /cg/a true",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
