package runtime_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"golang.org/x/sys/unix"

	"minictr/pkg/leak"
	"minictr/pkg/network"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
)

// everything asks for all that a plan can contain: limits, a network with a
// published port, volumes, a filter.
func everything(t *testing.T) func(*runtime.Config) {
	return func(c *runtime.Config) {
		memory, pids := int64(64<<20), int64(64)
		c.Spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &memory}, Pids: &specs.LinuxPids{Limit: &pids}}
		c.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
			DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"swapon"}, Action: specs.ActErrno}},
		}
		c.Spec.Mounts = append(c.Spec.Mounts, specs.Mount{Destination: "/vol", Type: "bind", Source: t.TempDir(), Options: []string{"rbind"}})
		c.RunDir = filepath.Join(c.Bundle, "run")
		port := network.PortMapping{HostIP: netip.MustParseAddr("127.0.0.1"), ContainerPort: 80, Protocol: network.TCP}
		ep, err := network.Connect(c.RunDir, c.ID, network.Options{Ports: []network.PortMapping{port}})
		if err != nil {
			t.Fatal(err)
		}
		c.Network = ep
	}
}

// steps are the names of the plan's steps.
func steps(t *testing.T, c *runtime.Config) []string {
	t.Helper()
	plan, err := runtime.Plan(c, runtime.IO{})
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(plan))
	for i, s := range plan {
		names[i] = s.Name
	}
	return names
}

func TestFailAnywhereLeavesNothing(t *testing.T) {
	for _, name := range steps(t, newBundle(t, "true", everything(t))) {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			c := newBundle(t, "echo it ran", everything(t))
			plan, err := runtime.Plan(c, runtime.IO{})
			if err != nil {
				t.Fatal(err)
			}
			r := step.Runner{Slots: ownStdio(t), Fault: step.Fault{Step: name}}
			if _, err := r.Run(plan); err == nil {
				t.Error("the plan did not fail")
			}
			if err := network.Disconnect(c.RunDir, c.Network); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestKillAnywhereLeavesNothingAfterTheUndo(t *testing.T) {
	names := steps(t, newBundle(t, "true", everything(t)))
	for _, name := range names[:len(names)-1] { // the last one is execve, which comes back to nobody
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			c := newBundle(t, "sleep 60", everything(t), supervised)
			if out, code := run(t, c, name); code != -1 {
				t.Errorf("the shim was not killed: exit code %d, %s", code, out)
			}
			settle(t, c)
		})
	}
}

func TestAKilledShimTakesItsContainerAlong(t *testing.T) {
	leak.Check(t)
	c := newBundle(t, "echo up > /vol/up; sleep 60", everything(t), supervised)
	cmd := exec.Command("/proc/self/exe", "run-plan", c.Bundle, "")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	volume := c.Spec.Mounts[len(c.Spec.Mounts)-1].Source
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(volume, "up")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the container did not start")
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	settle(t, c)
}

func supervised(c *runtime.Config) { c.Supervised = true }

// settle is what a later process does for a container whose shim is dead: make
// the plan again and undo the journal. The container's orphaned first process
// comes to us, as subreaper, and not to an init that may take its time.
func settle(t *testing.T, c *runtime.Config) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err == unix.ECHILD {
			break
		}
	}
	again, err := runtime.Load(c.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := runtime.Plan(again, runtime.IO{})
	if err != nil {
		t.Fatal(err)
	}
	names, err := step.ReadJournal(filepath.Join(c.Bundle, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // an undo must be safe to run twice
		if err := step.Undo(plan, names, nil); err != nil {
			t.Error(err)
		}
	}
	if err := network.Disconnect(c.RunDir, c.Network); err != nil {
		t.Error(err)
	}
}
