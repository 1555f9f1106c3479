package shim_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/record"
	"minictr/pkg/shim/client"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
	"minictr/pkg/volume"
)

func TestAContainerRunsToItsEnd(t *testing.T) {
	b := newBox(t, "echo out; echo err >&2; cat; exit 7") // without input cat ends at once
	out, err, code := b.run()
	if out != "out\n" || err != "err\n" || code != 7 {
		t.Errorf("stdout %q, stderr %q, code %d", out, err, code)
	}
	if got := b.logged(); got != "out\nerr\n" && got != "err\nout\n" {
		t.Errorf("the log has %q", got)
	}
	s := b.state()
	if s.Status != record.Exited || s.ExitCode != 7 || s.Pid != 0 || s.StartedAt.IsZero() || !s.FinishedAt.After(s.StartedAt) {
		t.Errorf("%+v", s)
	}
	if left := b.left(); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

func TestASignalledContainerExitsAsAShellSays(t *testing.T) {
	b := newBox(t, "echo up; exec sleep 1000")
	o, _, _ := b.options()
	out := newWatcher("up\n")
	o.Stdout = out
	s := b.start(o)
	out.wait(t)
	if got := b.state(); got.Pid != s.PID() || !record.Alive(got.Pid, got.PidStart) || !record.Alive(got.ShimPid, got.ShimStart) {
		t.Errorf("%+v", got)
	}
	if err := client.Signal(t.Context(), b.dirs, b.id, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := b.wait(s); code != 137 || out.String() != "up\n" {
		t.Errorf("code %d, output %q", code, out)
	}
}

func TestInputReachesTheContainerAndEnds(t *testing.T) {
	b := newBox(t, "sha256sum; echo done", withInput)
	random := make([]byte, 5<<20+123)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(random)
	o, out, _ := b.options()
	o.Stdin = bytes.NewReader(random)
	code := b.wait(b.start(o))
	if want := fmt.Sprintf("%x  -\ndone\n", sha256.Sum256(random)); out.String() != want || code != 0 {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestWhatGoesInComesOutUnchanged(t *testing.T) {
	b := newBox(t, "cat", withInput, func(b *box) { b.config.Log.Driver = "none" })
	random := make([]byte, 20<<20+7)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(random)
	o, out, _ := b.options()
	o.Stdin = bytes.NewReader(random)
	if code := b.wait(b.start(o)); code != 0 || !bytes.Equal(out.Bytes(), random) {
		t.Errorf("code %d; %d bytes came out of %d", code, out.Len(), len(random))
	}
}

func TestSignalsPassInputThatNobodyReads(t *testing.T) {
	b := newBox(t, `trap "exit 5" TERM; echo up; while :; do sleep 0.05; done`, withInput)
	o, _, _ := b.options()
	o.Stdin = endless{}
	up := newWatcher("up\n")
	o.Stdout = up
	s := b.start(o)
	up.wait(t)
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := b.wait(s); code != 5 {
		t.Error("code", code)
	}
}

func TestInputEndsWhenItsOnlyClientIsGone(t *testing.T) {
	b := newBox(t, "echo up; cat; echo end >/end; exit 3", withInput)
	o, _, _ := b.options()
	r, w := io.Pipe()
	defer w.Close()
	up := newWatcher("up\n")
	o.Stdin, o.Stdout = r, up
	s := b.start(o)
	up.wait(t)
	s.Close() // as if the command had been killed
	waitFor(t, func() bool { return b.state().Status == record.Exited })
	if code := b.state().ExitCode; code != 3 {
		t.Error("code", code)
	}
}

func TestAContainerOutlivesItsClient(t *testing.T) {
	b := newBox(t, "echo up; while ! test -e /stop; do sleep 0.02; done; echo down")
	o, _, _ := b.options()
	up := newWatcher("up\n")
	o.Stdout = up
	s := b.start(o)
	up.wait(t)
	s.Close()
	again, err := client.Attach(t.Context(), b.dirs, b.id, client.Streams{Stdout: new(bytes.Buffer)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/root/stop", again.PID()), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := b.wait(again); code != 0 || b.logged() != "up\ndown\n" {
		t.Errorf("code %d, log %q", code, b.logged())
	}
}

func TestEveryWaiterIsTold(t *testing.T) {
	b := newBox(t, "sleep 0.2; exit 9")
	s := b.start(func() client.Options { o, _, _ := b.options(); return o }())
	codes := make(chan int)
	for range 5 {
		go func() {
			exit, err := client.Wait(t.Context(), b.dirs, b.id)
			if err != nil {
				t.Error(err)
			}
			codes <- exit.Code
		}()
	}
	for range 5 {
		if code := <-codes; code != 9 {
			t.Error("code", code)
		}
	}
	b.wait(s)
	if exit, err := client.Wait(t.Context(), b.dirs, b.id); err != nil || exit.Code != 9 {
		t.Error("long after: ", exit, err)
	}
	if _, err := client.Attach(t.Context(), b.dirs, b.id, client.Streams{}); !errors.Is(err, client.ErrNotRunning) {
		t.Error(err)
	}
}

func TestAutoRemoveLeavesNothing(t *testing.T) {
	for _, script := range []string{"exit 4", "/no/such/program"} {
		b := newBox(t, script, func(b *box) {
			b.config.AutoRemove, b.config.Volumes = true, []string{"anonymous"}
			held, _, err := volume.Open(b.dirs.Root).Use(volume.Volume{Name: "anonymous"})
			if err == nil {
				err = held.Release()
			}
			if err != nil {
				t.Fatal(err)
			}
			b.spec.Process.Args = strings.Fields(script)
			if script == "exit 4" {
				b.spec.Process.Args = []string{"sh", "-c", script}
			}
		})
		o, _, _ := b.options()
		s, err := client.Start(t.Context(), o)
		if err == nil {
			if code := b.wait(s); code != 4 {
				t.Error("code", code)
			}
		}
		if left := b.left(); len(left) > 1 || len(left) == 1 && !strings.HasPrefix(left[0], "root/trash/") {
			t.Errorf("%s: left when the client was told: %v", script, left)
		}
		waitFor(t, func() bool {
			_, err := os.Stat(b.dirs.Root + "/volumes/anonymous")
			return len(b.left()) == 0 && os.IsNotExist(err)
		})
	}
}

func TestAProgramThatCannotRunIsToldAsDockerDoes(t *testing.T) {
	for _, tc := range []struct {
		args []string
		code int
	}{
		{[]string{"/no/such/program"}, 127},
		{[]string{"no-such-program"}, 127},
		{[]string{"/etc/passwd"}, 126},
		{[]string{"/etc"}, 126},
	} {
		b := newBox(t, "", func(b *box) { b.spec.Process.Args = tc.args })
		o, _, _ := b.options()
		_, err := client.Start(t.Context(), o)
		var failure *wire.Failure
		if !errors.As(err, &failure) || failure.Code != tc.code || failure.Step != "process.exec" || failure.Hint == "" {
			t.Errorf("%v: %+v, want code %d", tc.args, err, tc.code)
		}
		if s := b.state(); s.Status != record.Created || s.ExitCode != tc.code || s.Error == "" {
			t.Errorf("%v: %+v", tc.args, s)
		}
		if left := b.left(); len(left) != 2 {
			t.Errorf("left: %v", left)
		}
	}
}

func TestTheMemoryLimitIsToldFromOtherKills(t *testing.T) {
	limit := int64(8 << 20)
	for _, tc := range []struct {
		script string
		code   int
		oom    bool
	}{
		{"exec tail -c 100000000 /dev/zero", 137, true},
		{"tail -c 100000000 /dev/zero; exit 3", 3, true},
		{"exit 3", 3, false},
		{"kill -9 $$; exec sleep 1", 0, false}, // a first process is spared its own signals
	} {
		b := newBox(t, tc.script, func(b *box) {
			b.spec.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit, Swap: &limit}}
		})
		o, _, _ := b.options()
		s := b.start(o)
		exit, err := s.Wait(t.Context())
		if err != nil || exit.Code != tc.code || exit.OOMKilled != tc.oom || b.state().OOMKilled != tc.oom {
			t.Errorf("%s: %+v, %v", tc.script, exit, err)
		}
	}
}

func TestTheOutputOfAnotherUserReachesDevStdout(t *testing.T) {
	b := newBox(t, "echo one > /dev/stdout; echo two > /dev/stderr; cat /dev/stdin", withInput, func(b *box) {
		b.spec.Process.User = specs.User{UID: 1000, GID: 1000}
	})
	o, out, errs := b.options()
	o.Stdin = strings.NewReader("three\n")
	if code := b.wait(b.start(o)); code != 0 || out.String() != "one\nthree\n" || errs.String() != "two\n" {
		t.Errorf("code %d, stdout %q, stderr %q", code, out, errs)
	}
}

func TestExplainTellsEveryStep(t *testing.T) {
	b := newBox(t, "true")
	o, _, _ := b.options()
	var steps, calls int
	var last step.Event
	o.Observe = func(e step.Event) {
		switch e.Kind {
		case step.StepEvent:
			steps++
		case step.CallEvent:
			calls++
		}
		last = e
	}
	s := b.start(o)
	if steps < 10 || calls < 30 || last.Kind != step.ReadyEvent || last.PID != s.PID() {
		t.Errorf("%d steps, %d calls, the last event is %+v", steps, calls, last)
	}
	b.wait(s)
}

func TestAPausedPlanGoesOnOrIsUndone(t *testing.T) {
	for _, quitAt := range []string{"", "rootfs.pivot", "namespace.clone"} {
		b := newBox(t, "echo hello")
		o, out, _ := b.options()
		var seen []string
		o.Pause = func(p wire.PausePoint) error {
			seen = append(seen, p.Step)
			if p.Step == quitAt {
				return errors.New("quit")
			}
			return nil
		}
		s, err := client.Start(t.Context(), o)
		if quitAt == "" {
			if err != nil {
				t.Fatal(err)
			}
			if code := b.wait(s); code != 0 || out.String() != "hello\n" || len(seen) < 10 {
				t.Errorf("code %d, output %q, %d steps", code, out, len(seen))
			}
			continue
		}
		var failure *wire.Failure
		if !errors.As(err, &failure) || failure.Step != quitAt {
			t.Errorf("quit at %s: %v", quitAt, err)
		}
		if left := b.left(); len(left) != 2 {
			t.Errorf("quit at %s: left %v", quitAt, left)
		}
	}
}

func TestAClientThatLeavesAPausedPlanUndoesIt(t *testing.T) {
	b := newBox(t, "true")
	o, _, _ := b.options()
	o.Pause = func(p wire.PausePoint) error {
		if p.Step == "rootfs.pivot" {
			select {} // until the test ends
		}
		return nil
	}
	ctx, cancel := contextFor(t, 300*time.Millisecond)
	defer cancel()
	if _, err := client.Start(ctx, o); !errors.Is(err, ctx.Err()) {
		t.Error(err)
	}
	waitFor(t, func() bool { return len(b.left()) == 2 && b.state().Error != "" })
}

func TestAContainerStartsOnce(t *testing.T) {
	b := newBox(t, "sleep 1000")
	o, _, _ := b.options()
	s := b.start(o)
	_, err := client.Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "running already") {
		t.Error(err)
	}
	if got := b.state(); got.Status != record.Running {
		t.Errorf("the second start changed the state: %+v", got)
	}
	_ = s.Signal(syscall.SIGKILL)
	b.wait(s)
	s = b.start(o) // and again once it has ended
	_ = s.Signal(syscall.SIGKILL)
	b.wait(s)
}
