package shim_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"minictr/pkg/record"
	"minictr/pkg/shim"
	"minictr/pkg/shim/client"
	"minictr/pkg/shim/wire"
)

func withPolicy(name string, retries int) func(*box) {
	return func(b *box) { b.config.Restart = shim.Policy{Name: name, Retries: retries} }
}

func (b *box) ask(r wire.Request) error {
	b.t.Helper()
	ctx, cancel := contextFor(b.t, 10e9)
	defer cancel()
	return client.Ask(ctx, b.dirs, b.id, r)
}

func TestAContainerThatFailsRunsAgainUntilItsPolicyGivesUp(t *testing.T) {
	b := newBox(t, "echo run; exit 3", withPolicy(shim.OnFailure, 2))
	o, out, _ := b.options()
	if code := b.wait(b.start(o)); code != 3 || out.String() != "run\n" {
		t.Errorf("the first client sees one run: %q, code %d", out, code)
	}
	waitFor(t, func() bool { return b.state().Status == record.Exited })
	s := b.state()
	if s.Restarts != 2 || s.ExitCode != 3 || s.Pid != 0 || s.ShimPid != 0 || s.Stopped {
		t.Errorf("%+v", s)
	}
	if got := b.logged(); got != "run\nrun\nrun\n" {
		t.Errorf("the log has %q", got)
	}
	waitFor(t, func() bool { return len(b.left()) == 2 })
}

func TestWhatAUserStopsIsNotStartedAgain(t *testing.T) {
	b := newBox(t, "exec sleep 1000", withPolicy(shim.UnlessStopped, 0))
	o, _, _ := b.options()
	s := b.start(o)
	first := s.PID()
	if err := client.Signal(t.Context(), b.dirs, b.id, syscall.SIGKILL); err != nil { // as by somebody else
		t.Fatal(err)
	}
	b.wait(s)
	waitFor(t, func() bool { return b.state().Status == record.Running && b.state().Pid != first })
	again, err := client.Attach(t.Context(), b.dirs, b.id, client.Streams{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.ask(wire.Request{Do: wire.DoSignal, Signal: int(syscall.SIGKILL), ByUser: true, Last: true}); err != nil {
		t.Fatal(err)
	}
	if code := b.wait(again); code != 137 {
		t.Error("code", code)
	}
	if s := b.state(); s.Status != record.Exited || !s.Stopped || s.Restarts != 1 {
		t.Errorf("%+v", s)
	}
	if err := b.ask(wire.Request{Do: wire.DoPause}); !errors.Is(err, client.ErrNotRunning) {
		t.Error(err)
	}
}

func TestAStopBetweenTwoRunsEndsIt(t *testing.T) {
	b := newBox(t, "exit 1", withPolicy(shim.Always, 0))
	o, _, _ := b.options()
	b.wait(b.start(o))
	waitFor(t, func() bool { s := b.state(); return s.Restarts >= 4 && s.Status == record.Restarting }) // by now it waits for a second
	if err := b.ask(wire.Request{Do: wire.DoSignal, Signal: int(syscall.SIGTERM), ByUser: true, Last: true}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return b.state().Status == record.Exited })
	if s := b.state(); s.ExitCode != 1 || !s.Stopped {
		t.Errorf("%+v", s)
	}
	waitFor(t, func() bool { return len(b.left()) == 2 })
}

func TestAProgramThatIsGoneEndsTheRestarts(t *testing.T) {
	b := newBox(t, "cp /bin/busybox /rm; /rm rm /rm; rm /bin/sh; exit 1", withPolicy(shim.Always, 0))
	o, _, _ := b.options()
	b.wait(b.start(o))
	waitFor(t, func() bool { return b.state().Status == record.Exited })
	if s := b.state(); s.ExitCode != 127 || s.Error == "" || s.Restarts != 1 {
		t.Errorf("%+v", s)
	}
	waitFor(t, func() bool { return len(b.left()) == 2 })
}

func TestAShimKilledBetweenTwoRunsIsSettledAndSaid(t *testing.T) {
	b := newBox(t, "exit 1", withPolicy(shim.Always, 0))
	o, _, _ := b.options()
	b.wait(b.start(o))
	waitFor(t, func() bool { s := b.state(); return s.Restarts >= 4 && s.Status == record.Restarting })
	pid, start := b.state().ShimPid, b.state().ShimStart
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := false
	waitFor(t, func() bool {
		var err error
		if killed, err = shim.Settle(b.dirs, b.id); err != nil {
			t.Fatal(err)
		}
		return killed || !record.Alive(pid, start)
	})
	if s := b.state(); !killed || s.Status != record.Exited || s.ExitCode != 137 || s.Stopped {
		t.Errorf("killed %v: %+v", killed, s)
	}
}

func TestAPausedContainerStandsStillAndIsKilled(t *testing.T) {
	b := newBox(t, "while :; do echo x; sleep 0.01; done")
	o, _, _ := b.options()
	out := newWatcher("x\n")
	o.Stdout = out
	s := b.start(o)
	out.wait(t)
	if err := b.ask(wire.Request{Do: wire.DoPause}); err != nil {
		t.Fatal(err)
	}
	if got := b.state().Status; got != record.Paused {
		t.Error(got)
	}
	if err := b.ask(wire.Request{Do: wire.DoPause}); err == nil || !strings.Contains(err.Error(), "paused already") {
		t.Error(err)
	}
	if err := b.ask(wire.Request{Do: wire.DoResume}); err != nil {
		t.Fatal(err)
	}
	if err := b.ask(wire.Request{Do: wire.DoResume}); err == nil || !strings.Contains(err.Error(), "not paused") {
		t.Error(err)
	}
	if err := b.ask(wire.Request{Do: wire.DoPause}); err != nil {
		t.Fatal(err)
	}
	if err := b.ask(wire.Request{Do: wire.DoSignal, Signal: int(syscall.SIGKILL), Last: true}); err != nil {
		t.Fatal(err)
	}
	if code := b.wait(s); code != 137 {
		t.Error("code", code)
	}
	if err := b.ask(wire.Request{Do: "dance"}); !errors.Is(err, client.ErrNotRunning) {
		t.Error(err)
	}
}

func TestChecksOfHealthAreChildrenThatLeaveNothing(t *testing.T) {
	b := newBox(t, "exec sleep 1000", func(b *box) {
		b.config.Health = &shim.HealthCheck{
			Args: []string{"sh", "-c", "cat /proc/self/oom_score_adj; sleep 1000 & exit 0"}, Interval: 1e6, Timeout: 10e9, Retries: 1,
		}
	})
	o, _, _ := b.options()
	s := b.start(o)
	waitFor(t, func() bool { h := b.state().Health; return h != nil && h.Status == "healthy" && len(h.Log) >= 2 })
	for _, p := range b.state().Health.Log {
		if p.ExitCode != 0 || strings.HasPrefix(p.Output, "-") || p.End.Before(p.Start) {
			t.Errorf("%+v", p)
		}
	}
	_ = s.Signal(syscall.SIGKILL)
	if code := b.wait(s); code != 137 {
		t.Error("code", code)
	}
	if h := b.state().Health; h.Status != "unhealthy" {
		t.Errorf("%+v", h)
	}
}
