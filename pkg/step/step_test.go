package step_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

func host(name string, calls ...kernel.Call) step.Step {
	return step.Step{Name: name, Topic: book.Containers, Why: "test", Side: step.Host, Calls: calls, Rule: "test"}
}

func inside(name string, calls ...kernel.Call) step.Step {
	s := host(name, calls...)
	s.Side = step.Inside
	return s
}

func clone() step.Step {
	s := host("test.clone", kernel.Clone(kernel.CloneArgs{}))
	s.Side = step.Clone
	return s
}

func program(args ...string) step.Step {
	return inside("test.exec", kernel.Execve("/bin/"+args[0], args, nil))
}

func run(t *testing.T, r step.Runner, plan step.Plan) (int, error) {
	t.Helper()
	p, err := r.Run(plan)
	if err != nil {
		return -1, err
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(p.PID, &ws, 0, nil); err != nil {
		t.Fatal(err)
	}
	return ws.ExitStatus(), nil
}

func TestHostStepsRunBesideTheChildAndMeetAtBarriers(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	var order []string
	r := step.Runner{Observe: func(e step.Event) {
		if e.Kind == step.CallEvent && e.Name == "mkdirat" {
			order = append(order, filepath.Base(strings.Split(e.Call, `"`)[1]))
		}
	}}
	code, err := run(t, r, step.Plan{
		clone(),
		host("test.host", kernel.Mkdir(a, 0o755)),
		inside("test.inside", kernel.Await(), kernel.Mkdir(b, 0o755), kernel.Tell()),
		host("test.after", kernel.Mkdir(filepath.Join(b, "c"), 0o755)), // needs b: the child's Tell came first
		program("true"),
	})
	if err != nil || code != 0 {
		t.Fatal(code, err)
	}
	if strings.Join(order, "") != "acb" { // the child's calls are told when it is done
		t.Errorf("told in order %v", order)
	}
}

func TestAFailureIsUndoneBackwardsAndTold(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "a/b")
	undo := func(path string) func(step.Do) error {
		return func(do step.Do) error { return do(kernel.Rmdir(path).Allowing(unix.ENOENT)) }
	}
	first, second := host("test.first", kernel.Mkdir(a, 0o755)), host("test.second", kernel.Mkdir(b, 0o755))
	first.Undo, second.Undo = undo(a), undo(b)
	var kinds []string
	r := step.Runner{Observe: func(e step.Event) { kinds = append(kinds, string(e.Kind)+" "+e.Step) }}
	_, err := run(t, r, step.Plan{first, second, clone(), inside("test.bad", kernel.Chdir("/nowhere")), program("true")})
	var failed *step.Error
	if !errors.As(err, &failed) || failed.Step.Name != "test.bad" || failed.Errno() != unix.ENOENT || failed.Hint() == "" {
		t.Fatalf("got %v", err)
	}
	if _, err := os.Stat(a); err == nil {
		t.Error("the directory is left")
	}
	all := strings.Join(kinds, ",")
	if !strings.Contains(all, "failed test.bad,undo test.second,call test.second,undo test.first") {
		t.Error(all)
	}
}

func TestAPausedPlanStopsBeforeEveryStepAndMayBeLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	plan := step.Plan{host("test.host"), clone(), inside("test.one", kernel.Mkdir(dir, 0o755)), inside("test.two"), program("true")}
	var seen []string
	r := step.Runner{Pause: func(p step.Pause) error {
		_, err := os.Stat(dir)
		seen = append(seen, p.Plan[p.Index].Name+map[bool]string{true: "+", false: "-"}[err == nil])
		if p.Index > 1 && p.PID == 0 {
			t.Error("no pid after the clone")
		}
		return nil
	}}
	if code, err := run(t, r, plan); err != nil || code != 0 {
		t.Fatal(code, err)
	}
	if got := strings.Join(seen, " "); got != "test.host- test.clone- test.one- test.two+ test.exec+" {
		t.Error(got)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	quit := errors.New("quit")
	r.Pause = func(p step.Pause) error {
		if p.Index == 3 {
			return quit
		}
		return nil
	}
	if _, err := run(t, r, plan[1:]); !errors.Is(err, quit) {
		t.Errorf("got %v", err)
	}
}

func TestAFailureOfAPausedPlanNamesItsOwnStep(t *testing.T) {
	r := step.Runner{Pause: func(step.Pause) error { return nil }}
	_, err := run(t, r, step.Plan{clone(), inside("test.bad", kernel.Chdir("/nowhere")), inside("test.next"), program("true")})
	var failed *step.Error
	if !errors.As(err, &failed) || failed.Step.Name != "test.bad" {
		t.Errorf("got %v", err)
	}
}

func TestTheChildsOwnFailureIsToldBeforeAHostStepsThatFollowsFromIt(t *testing.T) {
	r := step.Runner{Observe: func(e step.Event) {
		if e.Kind == step.StepEvent && e.Step == "test.follows" {
			time.Sleep(50 * time.Millisecond) // by now the child has broken off
		}
	}}
	_, err := run(t, r, step.Plan{clone(), inside("test.bad", kernel.Chdir("/nowhere")), host("test.follows", kernel.Chdir("/nowhere-either")), program("true")})
	var failed *step.Error
	if !errors.As(err, &failed) || failed.Step.Name != "test.bad" {
		t.Errorf("got %v", err)
	}
}

func TestAStepLeftOutKeepsItsBarriers(t *testing.T) {
	waits := inside("test.waits", kernel.Await(), kernel.Chdir("/nowhere"))
	risky := inside("test.risky", kernel.Chdir("/"))
	risky.Risk = "everything breaks"
	plan := step.Plan{clone(), host("test.host"), waits, risky, program("true")}
	without, err := plan.Without("test.waits", false)
	if err != nil {
		t.Fatal(err)
	}
	if code, err := run(t, step.Runner{}, without); err != nil || code != 0 {
		t.Error(code, err)
	}
	for _, name := range []string{"test.risky", "test.clone", "test.unknown"} {
		if _, err := plan.Without(name, false); err == nil {
			t.Errorf("%s was left out", name)
		}
	}
	if _, err := plan.Without("test.risky", true); err != nil {
		t.Error(err)
	}
}

func TestPlansThatCannotRunAreRefused(t *testing.T) {
	for name, plan := range map[string]step.Plan{
		"no clone":            {host("a")},
		"two clones":          {clone(), clone()},
		"inside before clone": {inside("a"), clone()},
		"twice the same name": {clone(), inside("a"), inside("a")},
	} {
		if err := plan.Check(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestATornJournalLineIsOfNoStep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := step.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Begin("a.b"), j.Begin("c.d"), j.Close()); err != nil {
		t.Fatal(err)
	}
	whole, _ := os.ReadFile(path)
	if err := os.WriteFile(path, whole[:len(whole)-2], 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := step.ReadJournal(path); err != nil || strings.Join(names, " ") != "a.b" {
		t.Error(names, err)
	}
	if names, err := step.ReadJournal(path + "x"); err != nil || len(names) != 0 {
		t.Error(names, err)
	}
}

func TestEventsSurviveJSON(t *testing.T) {
	var events []step.Event
	r := step.Runner{Observe: func(e step.Event) { events = append(events, e) }}
	if _, err := run(t, r, step.Plan{clone(), program("true")}); err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		b, err := json.Marshal(e)
		var back step.Event
		if err != nil || json.Unmarshal(b, &back) != nil || back != e {
			t.Errorf("%s: %v", b, err)
		}
	}
}
