package bundle

import (
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/engine/config"
)

func TestLimitsOfDisksNameThemByNumber(t *testing.T) {
	in := input()
	in.Numbers = map[string]DeviceNumber{"/dev/sda": {8, 0}, "/dev/sdb": {8, 16}}
	c := in.Config
	c.BlkioWeight = 300
	c.BlkioWeightDevice = []config.DeviceRate{{Path: "/dev/sdb", Rate: 50}}
	c.DeviceReadBps = []config.DeviceRate{{Path: "/dev/sda", Rate: 1 << 20}}
	c.DeviceWriteIOPS = []config.DeviceRate{{Path: "/dev/sdb", Rate: 7}, {Path: "/dev/sda", Rate: 8}}
	b := Resources(in).BlockIO
	if b == nil || *b.Weight != 300 || len(b.WeightDevice) != 1 || b.WeightDevice[0].Minor != 16 || *b.WeightDevice[0].Weight != 50 {
		t.Fatalf("weights: %+v", b)
	}
	if r := b.ThrottleReadBpsDevice; len(r) != 1 || r[0].Major != 8 || r[0].Minor != 0 || r[0].Rate != 1<<20 {
		t.Errorf("reading: %+v", r)
	}
	if w := b.ThrottleWriteIOPSDevice; len(w) != 2 || w[0].Minor != 16 || w[0].Rate != 7 || w[1].Minor != 0 {
		t.Errorf("writing: %+v", w)
	}
	if len(b.ThrottleWriteBpsDevice)+len(b.ThrottleReadIOPSDevice) != 0 {
		t.Errorf("nobody asked for these: %+v", b)
	}
}

func TestLessUsualLimits(t *testing.T) {
	in := input()
	if r := Resources(in); r.BlockIO != nil || r.Memory != nil || r.CPU != nil {
		t.Errorf("nothing was asked for: %+v", r)
	}
	swappiness := uint64(0)
	in.Config.MemorySwappiness, in.Config.OOMKillDisable = &swappiness, true
	in.Config.CPURtPeriod, in.Config.CPURtRuntime = 1000, 500
	r := Resources(in)
	if *r.Memory.Swappiness != 0 || !*r.Memory.DisableOOMKiller || r.Memory.Limit != nil {
		t.Errorf("memory: %+v", r.Memory)
	}
	if *r.CPU.RealtimePeriod != 1000 || *r.CPU.RealtimeRuntime != 500 {
		t.Errorf("cpu: %+v", r.CPU)
	}
}

func TestNamespacesOfOthersAreJoinedByPath(t *testing.T) {
	in := input()
	in.Config.Namespaces.PID, in.Config.Namespaces.IPC = "container:x", "container:x"
	in.Joined = map[specs.LinuxNamespaceType]string{specs.PIDNamespace: "/proc/7/ns/pid", specs.IPCNamespace: "/proc/7/ns/ipc"}
	in.Shm = "/proc/7/root/dev/shm"
	spec := mustSpec(t, in)
	for _, want := range []specs.LinuxNamespace{{Type: specs.PIDNamespace, Path: "/proc/7/ns/pid"}, {Type: specs.IPCNamespace, Path: "/proc/7/ns/ipc"}} {
		if !slices.Contains(spec.Linux.Namespaces, want) {
			t.Errorf("%+v is missing in %+v", want, spec.Linux.Namespaces)
		}
	}
	for _, m := range spec.Mounts {
		if m.Destination == "/dev/shm" && (m.Type != "bind" || m.Source != in.Shm) {
			t.Errorf("/dev/shm: %+v", m)
		}
	}
	in.Shm, in.Config.Namespaces.IPC = "", "none"
	if slices.Contains(destinations(mustSpec(t, in)), "/dev/shm") {
		t.Error("--ipc none has a /dev/shm")
	}
}
