package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/engine/config"
	"minictr/pkg/leak"
	"minictr/pkg/network"
	"minictr/pkg/record"
	"minictr/pkg/runtime"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
)

// faulty is a container whose plan has a step of every kind.
func faulty(t *testing.T, e *Engine) (*Container, step.Plan) {
	t.Helper()
	dir := t.TempDir()
	cfg := sh("sleep 60")
	cfg.Memory, cfg.PidsLimit, cfg.NanoCPUs = 64<<20, 50, 5e8
	cfg.ReadOnly, cfg.TTY = true, true
	cfg.Mounts = []config.Mount{{Type: config.Bind, Source: dir, Target: "/data", ReadOnly: true}, {Type: config.Volume, Source: "vol", Target: "/vol"}}
	var err error
	if cfg.Ports, err = network.ParsePort("127.0.0.1::80"); err != nil {
		t.Fatal(err)
	}
	c := create(t, e, cfg)
	config, err := e.prepare(c)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := runtime.Plan(config, runtime.IO{Terminal: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.disconnect(config.Network); err != nil {
		t.Fatal(err)
	}
	return c, plan
}

// watch looks at what carries this engine's and this container's names: its
// cgroups, its bridge, its processes.
func watch(t *testing.T, e *Engine, c *Container) leak.Watch {
	t.Helper()
	ep, err := network.Connect(e.Dirs.Run, c.ID, network.Options{})
	if err == nil {
		err = e.disconnect(ep)
	}
	if err != nil {
		t.Fatal(err)
	}
	return leak.Watch{
		Tokens: []string{c.ID, ep.Bridge, ep.Table, e.Dirs.Run}, Patience: 10 * time.Second,
		Dirs: []string{filepath.Join(e.Dirs.Run, "containers"), filepath.Join(e.Dirs.Run, "networks", "bridge", "leases"), filepath.Join(e.Dirs.Run, "networks", "bridge", "ports")},
	}
}

// eachStep tries every step of the plan but the last, with a few containers at
// a time.
func eachStep(t *testing.T, try func(e *Engine, c *Container, s step.Step) error) {
	e := newEngine(t)
	var containers []*Container
	var plan step.Plan
	var w leak.Watch
	for range 6 {
		var c *Container
		c, plan = faulty(t, e)
		containers = append(containers, c)
		own := watch(t, e, c)
		own.Tokens = append(own.Tokens, w.Tokens...)
		w = own
	}
	w.Check(t)
	steps := make(chan step.Step, len(plan))
	for _, s := range plan[:len(plan)-1] { // the last one is execve
		steps <- s
	}
	close(steps)
	var wg sync.WaitGroup
	for _, c := range containers {
		wg.Go(func() {
			for s := range steps {
				if err := errors.Join(try(e, c, s), lasting(e, c)); err != nil {
					t.Errorf("%s: %v", s.Name, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestFailingAtAnyStepLeavesNothing(t *testing.T) {
	eachStep(t, func(e *Engine, c *Container, s step.Step) error {
		_, err := e.Start(t.Context(), c, StartOptions{Fault: &wire.Fault{Step: s.Name}})
		var failed *wire.Failure
		if !errors.As(err, &failed) {
			return fmt.Errorf("got %v, want a failure", err)
		}
		// A child that breaks off makes the host's steps beside it fail as
		// well, so only the host's are sure to be named.
		if s.Side == step.Host && failed.Step != s.Name {
			return fmt.Errorf("the failure is said to be of %s: %w", failed.Step, failed)
		}
		return nil
	})
}

func TestKillingTheShimAfterAnyStepLeavesNothing(t *testing.T) {
	eachStep(t, func(e *Engine, c *Container, s step.Step) error {
		_, err := e.Start(t.Context(), c, StartOptions{Fault: &wire.Fault{Step: s.Name, Kill: true}})
		if err == nil || !strings.Contains(err.Error(), "killed") {
			return fmt.Errorf("got %v", err)
		}
		if err := e.refresh(c); err != nil || c.Running() {
			return fmt.Errorf("the record claims that it runs: %+v, %v", c.State, err)
		}
		return nil
	})
}

// traces looks for what the container's last start may have left.
func traces(e *Engine, c *Container) error {
	ep, err := e.planned(c)
	if err != nil || ep == nil {
		return fmt.Errorf("no endpoint in the plan: %v", err)
	}
	places := []string{"/sys/class/net/" + ep.HostLink, e.Dirs.RunDir(c.ID)}
	for _, pattern := range []string{"/sys/fs/cgroup/*" + c.ID, "/sys/fs/cgroup/*/*" + c.ID} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		places = append(places, found...)
	}
	for _, path := range places {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s was left", path)
		}
	}
	return nil
}

func TestAContainerWhoseShimIsKilledIsSettled(t *testing.T) {
	e := newEngine(t)
	c, _ := faulty(t, e)
	w := watch(t, e, c)
	t.Run("settle", func(t *testing.T) {
		w.Check(t)
		session, err := e.Start(t.Context(), c, StartOptions{})
		if err != nil {
			t.Fatal(err)
		}
		session.Close()
		if err := e.refresh(c); err != nil || !c.Running() {
			t.Fatalf("it does not run: %+v, %v", c.State, err)
		}
		if err := unix.Kill(c.State.ShimPid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(5 * time.Second); c.Running() && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if err := errors.Join(e.Settle(t.Context()), e.refresh(c)); err != nil {
				t.Fatal(err)
			}
		}
		if c.State.Status != record.Exited || c.State.ExitCode != 137 {
			t.Errorf("settled as %+v", c.State)
		}
		if err := traces(e, c); err != nil {
			t.Error(err)
		}
	})
	// Afterwards it is as good as new.
	session, err := e.Start(t.Context(), c, StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	session.Close()
}

func TestRemovingAContainerWhoseShimIsKilledLeavesNothing(t *testing.T) {
	e := newEngine(t)
	c, _ := faulty(t, e)
	watch(t, e, c).Check(t)
	session, err := e.Start(t.Context(), c, StartOptions{})
	if err != nil {
		t.Fatal(err)
	}
	session.Close()
	if err := e.refresh(c); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(c.State.ShimPid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := e.Remove(t.Context(), c, RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Get(c.ID); err == nil {
		t.Error("it is still there")
	}
}

// lasting is traces that are still there when the shim, which answers before it
// deletes, has had its time.
func lasting(e *Engine, c *Container) error {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err := traces(e, c); err == nil || time.Now().After(end) {
			return err
		}
	}
}
