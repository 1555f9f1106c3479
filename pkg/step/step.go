package step

import (
	"fmt"
	"slices"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
)

// Step is one idea of the book as a few kernel calls.
type Step struct {
	Name  string     // "package.verb", stable: users type it, the journal keeps it
	Topic book.Topic // the chapter it illustrates
	Why   string     // one sentence
	Side  Side
	Calls []kernel.Call

	// Restore brings the thread of a Host step back to where it was, when one of
	// its calls has failed between its going somewhere and its coming back.
	Restore []kernel.Call

	// Program is what a Host step runs after its calls, for few steps only.
	Program *Program

	// Helper is a process that a Host step needs for a moment; see there.
	Helper *Helper

	// Talk is what a Host step does after its calls where it cannot be known
	// before: what is called next depends on the last answer. For few steps only.
	Talk func(do Ask) error

	// Undo takes back what the step left on the host. It must be safe to run
	// twice, and after any part of the step only; do makes a call and reports
	// it. A step without Undo says in Rule which rule of the kernel undoes it.
	Undo func(do Do) error
	Rule string

	// Risk says what would happen to the host if the step were left out; a
	// step with a Risk can be skipped in a throw-away machine only.
	Risk string
}

// Root is the slot in which the step that mounts the container's root leaves
// its directory, for the one that makes it "/".
const Root kernel.Slot = "root"

// Do makes one call during an undo.
type Do func(kernel.Call) error

// Direct makes calls outside of any plan, silently: for who acts on a container
// that runs, or clears up.
func Direct() Do {
	host := kernel.NewHost()
	return func(c kernel.Call) error { _, err := host.Do(c); return err }
}

// Ask makes one call, reports it, and tells what it has returned.
type Ask func(kernel.Call) (kernel.Result, error)

// Side says where a step's calls are made.
type Side uint8

// Host steps run in this process. The one Clone step makes the new process.
// Inside steps run in it, before it becomes the container's program.
const (
	Host Side = iota
	Clone
	Inside
)

func (s Side) String() string { return [...]string{"host", "clone", "inside"}[s] }

// MarshalText gives events the side by name.
func (s Side) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Side) UnmarshalText(b []byte) error {
	for v := Host; v <= Inside; v++ {
		if v.String() == string(b) {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("no side of a plan: %q", b)
}

// Plan is the ordered list of steps that make one container (or start a
// process in one). It has exactly one Clone step; before it come only Host
// steps, after it Host and Inside steps in any order. The two sides run side
// by side, and meet only where an Inside step says Tell or Await.
type Plan []Step

// Check reports a plan that the runner could not run.
func (p Plan) Check() error {
	clone := p.clone()
	if clone < 0 {
		return fmt.Errorf("the plan clones no process")
	}
	names := make(map[string]bool, len(p))
	for i, s := range p {
		switch {
		case names[s.Name]:
			return fmt.Errorf("step %s is in the plan twice", s.Name)
		case s.Side == Clone && i != clone:
			return fmt.Errorf("step %s clones a second time", s.Name)
		case s.Side == Inside && i < clone:
			return fmt.Errorf("step %s runs in a process that %s makes only later", s.Name, p[clone].Name)
		case s.Side == Clone && len(s.Calls) != 1:
			return fmt.Errorf("step %s has %d calls, a clone step has one", s.Name, len(s.Calls))
		}
		names[s.Name] = true
	}
	return nil
}

func (p Plan) clone() int {
	return slices.IndexFunc(p, func(s Step) bool { return s.Side == Clone })
}

// OfThread reports whether a Host step changes the thread it runs on: the
// caller of Runner.Run must hold runtime.LockOSThread then.
func (p Plan) OfThread() bool {
	return slices.ContainsFunc(p, func(s Step) bool {
		return s.Side == Host && slices.ContainsFunc(s.All(), kernel.Call.OfThread)
	})
}

// Index finds a step by name, -1 if there is none.
func (p Plan) Index(name string) int {
	return slices.IndexFunc(p, func(s Step) bool { return s.Name == name })
}

// Without returns the plan with one step left out. Steps that protect the host
// are refused unless disposable says that this machine may be hurt.
func (p Plan) Without(name string, disposable bool) (Plan, error) {
	i := p.Index(name)
	switch {
	case i < 0:
		return nil, fmt.Errorf("no step %q in this plan (see `minictr plan`)", name)
	case p[i].Side == Clone:
		return nil, fmt.Errorf("step %s makes the process; without it there is no container", name)
	case p[i].Risk != "" && !disposable:
		return nil, fmt.Errorf("step %s is not left out on a real host: %s (the VM, `make vm`, allows it)", name, p[i].Risk)
	}
	// A barrier is not what the step is about: the child would wait for ever.
	rest := slices.Clone(p)
	rest[i].Calls = slices.DeleteFunc(slices.Clone(p[i].Calls), func(c kernel.Call) bool { return !c.Awaits() && !c.Tells() })
	if len(rest[i].Calls) == 0 {
		rest = slices.Delete(rest, i, i+1)
	}
	return rest, nil
}
