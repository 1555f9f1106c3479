package main

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/cgroup"
	"minictr/pkg/seccomp/profile"
)

// TestAContainerOfFourMegabytesStarts: what the runtime does in the container's
// cgroup counts there, too, and must not be what the container is killed for.
func TestAContainerOfFourMegabytesStarts(t *testing.T) {
	b := newBench(t)
	hierarchy, err := cgroup.Detect()
	if err != nil {
		t.Fatal(err)
	}
	if !hierarchy.Has("memory") {
		t.Skip("no memory controller here")
	}
	limit := int64(4 << 20)
	b.spec.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit}
	if b.spec.Linux.Seccomp, err = profile.Default(nil); err != nil {
		t.Fatal(err)
	}
	if out := b.run("/bin/echo", "there is room"); !strings.Contains(out, "there is room\n") {
		t.Errorf("run: %q", out)
	}
	b.running()
	if out := b.do("exec", b.id, "/bin/echo", "for another"); !strings.Contains(out, "for another\n") {
		t.Errorf("exec: %q", out)
	}
}
