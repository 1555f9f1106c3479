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
