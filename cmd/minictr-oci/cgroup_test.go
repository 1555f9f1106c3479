package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/cgroup"
)

// inHierarchies are a path's directories in all of this machine's hierarchies.
func inHierarchies(t *testing.T, path string) (dirs []string) {
	t.Helper()
	h, err := cgroup.Detect()
	if err != nil {
		t.Fatal(err)
	}
	if h.Unified != "" {
		dirs = append(dirs, h.Unified+path)
	}
	for _, point := range h.V1 {
		dirs = append(dirs, point+path)
	}
	return dirs
}

// Both would have the same limits, and be killed together.
func TestASecondContainerInACgroupIsRefusedAndTheFirstOneLives(t *testing.T) {
	b := newBench(t)
	b.program("sleep", "1000")
	b.spec.Linux.CgroupsPath = "/" + b.id
	b.save()
	b.do("run", "--detach", b.id)
	second := b.id + "-b"
	b.fail(1, "container's cgroup is not empty: 1 process(es) found", "create", second)
	b.fail(1, "container's cgroup is not empty", "run", second)
	b.fail(1, "container does not exist", "state", second)
	if s := b.status(); s != specs.StateRunning {
		t.Errorf("the first container is %s", s)
	}
	b.do("exec", b.id, "true")
}

// Engines and administrators make a cgroup, with limits, for a container.
func TestAnEmptyCgroupIsUsedAndOneThatIsFrozenIsNot(t *testing.T) {
	b := newBench(t)
	b.program("true")
	b.spec.Linux.CgroupsPath = "/" + b.id
	b.save()
	dir := inHierarchies(t, b.spec.Linux.CgroupsPath)[0]
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	b.do("run", b.id)
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is still there", dir)
	}
	file, frozen := "cgroup.freeze", "1"
	if strings.HasSuffix(filepath.Dir(dir), "freezer") {
		file, frozen = "freezer.state", "FROZEN"
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(frozen), 0); err != nil {
		t.Skip("no cgroup can be frozen here:", err)
	}
	b.fail(1, "container's cgroup unexpectedly frozen", "run", b.id)
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("somebody else's cgroup: %v", err)
	}
}

// The kernel would let nobody into a cgroup in which no process may be.
func TestALimitOfNoProcessesMeansOne(t *testing.T) {
	b := newBench(t)
	none := int64(0)
	b.spec.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &none}}
	b.program("sleep", "1000")
	b.save()
	b.do("run", "--detach", b.id)
	for _, dir := range inHierarchies(t, "/"+b.id) {
		if text, err := os.ReadFile(filepath.Join(dir, "pids.max")); err == nil && strings.TrimSpace(string(text)) != "1" {
			t.Errorf("%s/pids.max is %s", dir, text)
		}
	}
}

// What runc's users do with update beyond plain limits.
func TestUpdateTakesValuesInAnyOrderThatMakesSense(t *testing.T) {
	b := newBench(t)
	b.program("sleep", "1000")
	limit, quota, period := int64(32<<20), int64(300000), uint64(1000000)
	b.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}, CPU: &specs.LinuxCPU{Quota: &quota, Period: &period}}
	pod := "/" + b.id + "-pod"
	b.spec.Linux.CgroupsPath = pod + "/" + b.id
	b.save()
	t.Cleanup(func() {
		b.do("delete", "--force", b.id)
		for _, dir := range inHierarchies(t, pod) {
			_ = os.Remove(dir)
		}
	})
	b.do("run", "--detach", b.id)
	for _, dir := range inHierarchies(t, pod) { // v1 compares with the parent's share, also in between
		_ = os.WriteFile(filepath.Join(dir, "cpu.cfs_quota_us"), []byte("50000"), 0)
	}
	for _, args := range [][]string{
		{"--cpu-period", "10000", "--cpu-quota", "3000"},
		{"--cpu-period", "100000", "--cpu-quota", "30000"},
		{"--cpu-burst", "1000"},
		{"--cpu-burst", "0"},
		{"--memory-swap", "96468992"},
		{"--memory", "-1"},
		{"--memory", "32m", "--memory-swap", "-1"},
		{"--memory-swap", "96468992"}, // the memory limit stays
	} {
		b.do(append(append([]string{"update"}, args...), b.id)...)
	}
	want := map[string]string{
		"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "30000", "cpu.cfs_burst_us": "0", "cpu.max": "30000 100000", "cpu.max.burst": "0",
		"memory.limit_in_bytes": "33554432", "memory.max": "33554432", "memory.memsw.limit_in_bytes": "96468992", "memory.swap.max": "62914560",
	}
	for _, dir := range inHierarchies(t, b.spec.Linux.CgroupsPath) {
		for file, value := range want {
			if text, err := os.ReadFile(filepath.Join(dir, file)); err == nil && strings.TrimSpace(string(text)) != value {
				t.Errorf("%s/%s is %s, want %s", dir, file, strings.TrimSpace(string(text)), value)
			}
		}
	}
}
