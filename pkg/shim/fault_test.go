package shim_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/leak"
	"minictr/pkg/network"
	"minictr/pkg/record"
	"minictr/pkg/runtime"
	"minictr/pkg/shim"
	"minictr/pkg/shim/client"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
)

// withNetwork gives the box an address on a bridge of its own.
func withNetwork(b *box) {
	b.t.Helper()
	ep, err := network.Connect(b.dirs.Run, b.id, network.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	b.endpoint = ep
}

func (b *box) plan() step.Plan {
	b.t.Helper()
	c, err := runtime.Load(b.dir())
	if err != nil {
		b.t.Fatal(err)
	}
	c.ID, c.RunDir, c.Supervised = b.id, b.dirs.Run, true
	plan, err := runtime.Plan(c, runtime.IO{})
	if err != nil {
		b.t.Fatal(err)
	}
	return plan
}

// settle does what the next command would do.
func (b *box) settle() {
	b.t.Helper()
	orphans, err := record.Orphans(b.dirs)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, id := range orphans {
		if _, err := shim.Settle(b.dirs, id); err != nil {
			b.t.Error(err)
		}
	}
}

// eachStep runs a test for every step of a container's plan: the network's
// steps with a network, and the others without, for that is quicker.
func eachStep(t *testing.T, test func(t *testing.T, step string, edit ...func(*box))) {
	connected := newBox(t, "true", withNetwork)
	for _, s := range newBox(t, "true").plan() {
		t.Run(s.Name, func(t *testing.T) { test(t, s.Name) })
	}
	for _, s := range connected.plan() {
		if strings.HasPrefix(s.Name, "network.") {
			t.Run(s.Name, func(t *testing.T) { test(t, s.Name, withNetwork) })
		}
	}
	if err := network.Disconnect(connected.dirs.Run, connected.endpoint); err != nil {
		t.Error(err)
	}
}

func TestAStepThatFailsLeavesNothing(t *testing.T) {
	eachStep(t, func(t *testing.T, name string, edit ...func(*box)) {
		leak.Check(t)
		b := newBox(t, "true", edit...)
		o, _, _ := b.options()
		o.Fault = &wire.Fault{Step: name}
		_, err := client.Start(t.Context(), o)
		var failure *wire.Failure
		if !errors.As(err, &failure) || failure.Step != name || failure.Code != 125 || failure.Errno != int(unix.ENOENT) {
			t.Errorf("%+v", err)
		}
		if st := b.state(); st.Status != record.Created || st.Error == "" || st.ExitCode != 125 {
			t.Errorf("%+v", st)
		}
		b.checkNothingLeft()
	})
}

func TestAShimKilledAfterAnyStepLeavesNothingOnceSettled(t *testing.T) {
	eachStep(t, func(t *testing.T, name string, edit ...func(*box)) {
		if name == "process.exec" {
			return // after it there is no plan any more: see TestAContainerDiesWithItsShim
		}
		leak.Check(t)
		b := newBox(t, "sleep 1000", edit...)
		o, _, _ := b.options()
		o.Fault = &wire.Fault{Step: name, Kill: true}
		if s, err := client.Start(t.Context(), o); err == nil {
			t.Errorf("the shim lives: %+v", s)
		}
		// The half-made process holds the lock, too, until it notices.
		waitFor(t, func() bool { orphans, _ := record.Orphans(b.dirs); return slices.Contains(orphans, b.id) })
		b.settle()
		if st := b.state(); st.Live() {
			t.Errorf("%+v", st)
		}
		b.checkNothingLeft()
	})
}

// checkNothingLeft checks that a container that does not run has its record,
// and nothing else. It knows where to look, so neighbours do not disturb it.
func (b *box) checkNothingLeft() {
	b.t.Helper()
	patterns := []string{
		b.dirs.Run + "/containers/*", b.dirs.Run + "/networks/*/leases/*",
		"/sys/fs/cgroup/*" + b.id + "*", "/sys/fs/cgroup/*/*" + b.id + "*",
	}
	if ep := b.endpoint; ep != nil {
		patterns = append(patterns, "/sys/class/net/"+ep.Bridge, "/sys/class/net/"+ep.HostLink)
	}
	var found []string
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		found = nil
		for _, p := range patterns {
			f, err := filepath.Glob(p)
			if err != nil {
				b.t.Fatal(err)
			}
			found = append(found, f...)
		}
		// The bridge goes a while after the last container.
		if len(found) == 0 || time.Now().After(end) {
			break
		}
	}
	if len(found) > 0 {
		b.t.Errorf("left: %v", found)
	}
	if left := b.left(); !slices.Equal(left, []string{"root/containers/" + b.id, "root/names/box"}) {
		b.t.Errorf("left: %v", left)
	}
}

func TestAContainerDiesWithItsShim(t *testing.T) {
	for _, autoRemove := range []bool{false, true} {
		leak.Check(t)
		b := newBox(t, "sleep 1000 & exec sleep 1000", withNetwork, func(b *box) { b.config.AutoRemove = autoRemove })
		o, _, _ := b.options()
		s := b.start(o)
		before := b.state()
		if err := syscall.Kill(before.ShimPid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := contextFor(t, 5*time.Second)
		defer cancel()
		if exit, err := s.Wait(ctx); err == nil {
			t.Errorf("the killed shim's client hears %+v", exit)
		}
		waitFor(t, func() bool { return !record.Alive(before.Pid, before.PidStart) })
		if orphans, err := record.Orphans(b.dirs); err != nil || !slices.Equal(orphans, []string{b.id}) {
			t.Errorf("orphans: %v, %v", orphans, err)
		}
		b.settle()
		if autoRemove {
			waitFor(t, func() bool { return len(b.left()) == 0 })
			continue
		}
		if st := b.state(); st.Status != record.Exited || st.ExitCode != 137 || st.StartedAt != before.StartedAt || st.Error == "" {
			t.Errorf("%+v", st)
		}
		b.checkNothingLeft()
		if exit, err := client.Wait(t.Context(), b.dirs, b.id); err != nil || exit.Code != 137 {
			t.Error(exit, err)
		}
	}
}

// A program that no longer wants to die with its shim is killed by whoever
// settles.
func TestSettleKillsWhatOutlivedItsShim(t *testing.T) {
	b := newBox(t, "sleep 1000")
	o, _, _ := b.options()
	s := b.start(o)
	st := b.state()
	// As if the program had taken the signal back: the record names a process
	// that no shim's death kills.
	other := newBox(t, "sleep 1000")
	oo, _, _ := other.options()
	running := other.start(oo)
	victim := other.state()
	if err := syscall.Kill(st.ShimPid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return !record.Alive(st.Pid, st.PidStart) })
	st.Pid, st.PidStart = victim.Pid, victim.PidStart
	if err := record.WriteState(b.dir(), st); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { orphans, _ := record.Orphans(b.dirs); return len(orphans) == 1 })
	b.settle()
	if code := other.wait(running); code != 137 {
		t.Error("code", code)
	}
	// And never one whose number is the recorded one by chance.
	third := newBox(t, "sleep 1000")
	to, _, _ := third.options()
	ts := third.start(to)
	st.Pid, st.PidStart = third.state().Pid, third.state().PidStart-1
	st.Status = record.Running
	if err := record.WriteState(b.dir(), st); err != nil {
		t.Fatal(err)
	}
	if _, err := shim.Settle(b.dirs, b.id); err != nil {
		t.Fatal(err)
	}
	if !record.Alive(third.state().Pid, third.state().PidStart) {
		t.Error("another process was killed")
	}
	_ = ts.Signal(syscall.SIGKILL)
	third.wait(ts)
	s.Close()
}

func TestSettleLeavesTheLivingAlone(t *testing.T) {
	b := newBox(t, "sleep 1000")
	o, _, _ := b.options()
	s := b.start(o)
	if _, err := shim.Settle(b.dirs, b.id); err != nil {
		t.Error(err)
	}
	if st := b.state(); st.Status != record.Running || !record.Alive(st.Pid, st.PidStart) {
		t.Errorf("%+v", st)
	}
	_ = s.Signal(syscall.SIGKILL)
	b.wait(s)
	if _, err := shim.Settle(b.dirs, b.id); err != nil {
		t.Error(err)
	}
	if st := b.state(); st.Error != "" || st.ExitCode != 137 {
		t.Errorf("%+v", st)
	}
}

func TestTheLastContainerTakesTheBridgeWithIt(t *testing.T) {
	leak.Check(t)
	b := newBox(t, "ip -o -4 addr show dev eth0 | wc -l", withNetwork)
	if out, _, code := b.run(); out != "1\n" || code != 0 {
		t.Errorf("code %d, output %q", code, out)
	}
	b.checkNothingLeft()
}
