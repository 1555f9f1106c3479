package oci

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/runtime"
)

// Whatever a config.json holds, it becomes a plan or an error of one line:
// nothing panics, and nothing waits.

// planOf does with a configuration what create does before the first call.
func planOf(t testing.TB, dir string, content []byte) error {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := runtime.Load(dir)
	if err != nil {
		return err
	}
	if err := check(config.Spec, &Options{KeepConsole: true}); err != nil {
		return err
	}
	c := &Container{ID: "fuzz", Bundle: dir, Plan: config, dir: filepath.Join(dir, "state")}
	c.configure()
	c.Plan.RunDir = "" // no cache of filters
	fillHome(c.Spec.Process, c.RootPath(), c.Spec.Mounts)
	plan, err := runtime.Plan(c.Plan, consoleIO(c.Spec.Process, true))
	if err == nil && len(plan) == 0 {
		t.Error("neither a plan nor an error")
	}
	if err != nil {
		return err
	}
	_, err = runtime.ExecPlan(c.Plan, os.Getpid(), c.Spec.Process, consoleIO(c.Spec.Process, true))
	return err
}

// tried is planOf with a limit on its time, and on its message.
func tried(t testing.TB, dir string, content []byte) error {
	t.Helper()
	timer := time.AfterFunc(20*time.Second, func() { panic(fmt.Sprintf("no end in sight of %s", content)) })
	defer timer.Stop()
	err := planOf(t, dir, content)
	if err != nil && strings.TrimSpace(err.Error()) == "" {
		t.Errorf("an error that says nothing, of %s", content)
	}
	return err
}

// full is a configuration that uses every part of the specification that all
// machines can do.
func full(t testing.TB) []byte {
	t.Helper()
	s := ExampleSpec(false, 0, 0)
	number, percent, signed, major, flag, mode := uint64(1<<16), uint64(60), int64(1<<16), int64(10), false, os.FileMode(0o600)
	id, score := uint32(1), 10
	s.Process.Terminal = false
	s.Process.User = specs.User{UID: 1, GID: 2, AdditionalGids: []uint32{3}, Umask: &id}
	s.Process.OOMScoreAdj = &score
	s.Process.ConsoleSize = &specs.Box{Height: 10, Width: 20}
	s.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedOther, Nice: 1, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork}}
	s.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 1}
	s.Process.Capabilities.Ambient, s.Process.Capabilities.Inheritable = []string{"CAP_KILL"}, []string{"CAP_KILL"}
	s.Domainname = "example"
	s.Annotations = map[string]string{"a": "b"}
	s.Mounts = append(s.Mounts,
		specs.Mount{Destination: "/bound", Type: "bind", Source: "/tmp", Options: []string{"rbind", "rro", "rslave"}},
		specs.Mount{Destination: "/mapped", Type: "bind", Source: "/tmp", Options: []string{"bind", "idmap"}, UIDMappings: []specs.LinuxIDMapping{{Size: 1}}, GIDMappings: []specs.LinuxIDMapping{{Size: 1}}})
	hook := []specs.Hook{{Path: "/bin/true", Args: []string{"true"}, Env: []string{"A=1"}, Timeout: &score}}
	s.Hooks = &specs.Hooks{CreateRuntime: hook, CreateContainer: hook, StartContainer: hook, Poststart: hook, Poststop: hook}
	//lint:ignore SA1019 deprecated and in use
	s.Hooks.Prestart = hook
	l := s.Linux
	l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace}, specs.LinuxNamespace{Type: specs.TimeNamespace})
	l.Namespaces[1].Path = "/proc/self/ns/net"
	l.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1, Size: 10}}
	l.GIDMappings = l.UIDMappings
	l.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 1, Nanosecs: 2}}
	l.Sysctl = map[string]string{"kernel.msgmax": "8192"}
	l.CgroupsPath = "/fuzz/path"
	l.RootfsPropagation = "rslave"
	l.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux}
	l.Devices = []specs.LinuxDevice{{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229, FileMode: &mode, UID: &id, GID: &id}}
	l.Resources = &specs.LinuxResources{
		Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}, {Allow: true, Type: "c", Major: &major, Minor: &major, Access: "r"}},
		Memory:  &specs.LinuxMemory{Limit: &signed, Swap: &signed, Reservation: &signed, Swappiness: &percent, DisableOOMKiller: &flag},
		CPU:     &specs.LinuxCPU{Shares: &number, Quota: &signed, Period: &number, Cpus: "0-1", Mems: "0"},
		Pids:    &specs.LinuxPids{Limit: &signed},
		BlockIO: &specs.LinuxBlockIO{ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{{Rate: 1}}},
	}
	l.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, Architectures: []specs.Arch{specs.ArchX86_64}, Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog},
		Syscalls: []specs.LinuxSyscall{{Names: []string{"getpid"}, Action: specs.ActErrno, ErrnoRet: func() *uint { n := uint(1); return &n }(), Args: []specs.LinuxSeccompArg{{Index: 1, Value: 2, ValueTwo: 3, Op: specs.OpMaskedEqual}}}},
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wrong are values that any field may have instead of its own.
var wrong = []string{
	`null`, `""`, `"x"`, `"\u0000"`, `"../../x"`, `"/proc/self/fd/3"`, `-1`, `0`, `18446744073709551615`, `1e400`, `true`, `[]`, `[null]`, `[""]`, `{}`, `[{}]`, `{"":null}`,
	`"` + strings.Repeat("/x", 3000) + `"`,
}

// variants replaces each value of a configuration in turn, by a few of the wrong
// ones, the next few at the next place.
func variants(value any, place *int, replace func(any), try func()) {
	for range 2 {
		replace(json.RawMessage(wrong[*place%len(wrong)]))
		try()
		*place++
	}
	replace(value)
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			part := v[key]
			variants(part, place, func(n any) { v[key] = n }, try)
			delete(v, key)
			try()
			v[key] = part
		}
	case []any:
		for i, part := range v {
			variants(part, place, func(n any) { v[i] = n }, try)
		}
	}
}

// TestEveryFieldMayBeWrong puts odd values into each place of a configuration
// that has everything.
func TestEveryFieldMayBeWrong(t *testing.T) {
	var config any
	if err := json.Unmarshal(full(t), &config); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	plans, errors := 0, 0
	variants(config, new(int), func(n any) { config = n }, func() {
		content, err := json.Marshal(config)
		if err != nil {
			return // 1e400 is no JSON that Go writes
		}
		if tried(t, dir, content) == nil {
			plans++
		} else {
			errors++
		}
	})
	t.Logf("%d plans, %d errors", plans, errors)
	if plans < 50 || errors < 300 {
		t.Errorf("%d plans and %d errors: the variants are not what they were meant to be", plans, errors)
	}
}

func FuzzConfigurationsBecomePlansOrErrors(f *testing.F) {
	f.Add(full(f))
	for _, seed := range []string{
		``, `null`, `[]`, `{`, `{}`, `"x"`, `{"ociVersion":"1.0.0"}`, `{"ociVersion":"1.0.0","process":null,"root":null,"linux":null}`,
		`{"ociVersion":"1.0.0","process":{"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"}}`,
		`{"ociVersion":"1.0.0","process":{"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"},"linux":{"namespaces":[{"type":"mount"},{"type":"mount"}]}}`,
		`{"ociVersion":"1.0.0","process":{"args":[""],"cwd":"relative"},"root":{"path":"/"}}`,
		`{"ociVersion":"1.0.0","process":{"args":["sh"],"cwd":"/","user":{"uid":-1}},"root":{"path":"rootfs"}}`,
		`{"ociVersion":"9.0.0","process":{"args":["sh"],"cwd":"/"},"root":{"path":"../.."}}`,
		`{"ociVersion":"1.0.0","process":{"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"},"linux":{"seccomp":{"defaultAction":"SCMP_ACT_KILL","syscalls":[null,{"names":null}]}}}`,
		`{"ociVersion":"1.0.0","process":{"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"},"linux":{"resources":{"hugepageLimits":[{}],"rdma":{"":{}},"network":{"classID":1},"blockIO":{"weight":1},"unified":{"a":"b"}}}}`,
		`{"ociVersion":"1.0.0","process":{"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"},"linux":{"cgroupsPath":"/../../x","devices":[{}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "rootfs"), 0o755); err != nil {
			t.Fatal(err)
		}
		_ = tried(t, dir, content)
	})
}
