package step

import (
	"errors"
	"syscall"

	"minictr/pkg/kernel"
)

// Runner runs plans. Its zero value runs them silently and journals nothing.
//
// The caller holds runtime.LockOSThread while a plan runs that is [Plan.OfThread].
type Runner struct {
	Journal *Journal
	Observe func(Event)         // told all that happened; nil: nobody asks
	Pause   func(Pause) error   // asked before every step; an error ends the plan
	Fault   Fault               // for tests: break the plan on purpose
	Slots   map[kernel.Slot]int // descriptors that the calls use by name
}

// Pause is the moment before a step of a paused plan.
type Pause struct {
	Plan  Plan
	Index int // of the step to come
	PID   int // of the half-made container; 0 before the clone
}

// Fault breaks a plan on purpose, for tests of undo and recovery.
type Fault struct {
	Step string // the step to break
	Kill bool   // call Die after the step instead of failing its last call
	Die  func() // does not return
}

// PID is the slot in which Host steps after the clone find the pid of the new
// process. After a barrier they also find what the child has saved by then.
const PID kernel.Slot = "pid"

// Process is a process that a plan has made.
type Process struct {
	PID   int                     // the container's first process
	Slots map[kernel.Slot]uintptr // results of the host's calls, such as a terminal's master
}

// run is one plan under way.
type run struct {
	*Runner
	plan    Plan
	host    *kernel.Host
	child   *kernel.Child
	first   []int // per step: index of its first call in the child's list
	told    int   // steps whose calls have been reported, as far as inside ones go
	journal []string
}

// Run runs plan to its end: the container's program runs, or waits to be told
// so (Detach). On failure everything that was done is undone, last step first,
// and the error is an *Error.
func (r *Runner) Run(plan Plan) (*Process, error) {
	if err := plan.Check(); err != nil {
		return nil, err
	}
	x := &run{Runner: r, plan: plan, host: kernel.NewHost()}
	for s, fd := range r.Slots {
		x.host.Slots[s] = uintptr(fd)
	}
	at, err := x.steps()
	if err == nil {
		x.report(len(plan))
		pid := x.child.Final()
		x.child.Close()
		x.emit(Event{Kind: ReadyEvent, PID: pid, OK: true})
		return &Process{pid, x.host.Slots}, nil
	}
	at, err = x.blame(at, err)
	x.report(len(plan))
	failure := &Error{Step: plan[at], Err: err}
	x.emit(Event{Kind: FailedEvent, Step: plan[at].Name, Index: at, Error: err.Error(), Hint: failure.Hint()})
	x.reap()
	x.host.CloseAll()
	return nil, errors.Join(failure, Undo(plan, x.journal, r.Observe))
}

// blame finds the step that broke the plan: a Host step may fail only because
// the child it is about has broken off before.
func (x *run) blame(at int, err error) (int, error) {
	if x.child == nil || x.plan[at].Side != Host {
		return at, err
	}
	var ce *kernel.CallError
	if i, childs := x.verdict(); asCallError(childs, &ce) && !ce.Killed {
		return i, childs
	}
	return at, err
}

// steps walks the plan in its order. It returns the step that failed.
func (x *run) steps() (int, error) {
	for i, s := range x.plan {
		if at, err := x.pause(i); err != nil {
			return at, err
		}
		var err error
		switch s.Side {
		case Host:
			err = x.hostStep(i, s)
		case Clone:
			err = x.cloneStep(i, s)
		case Inside:
			var over bool
			if over, err = x.follow(s); over {
				if err != nil {
					return x.verdict() // which knows the step
				}
				return i, nil
			}
		}
		if err != nil {
			return i, err
		}
		if s.Side != Inside {
			x.die(s)
		}
	}
	for x.child.Hear() { // ends when execve closes the child's end
	}
	return x.verdict()
}

// begin journals a step that has something to undo.
func (x *run) begin(s Step) error {
	if s.Undo == nil {
		return nil
	}
	x.journal = append(x.journal, s.Name)
	return x.Journal.Begin(s.Name)
}

func (x *run) hostStep(i int, s Step) error {
	if err := x.begin(s); err != nil {
		return err
	}
	x.announce(i, s)
	for _, c := range x.broken(s) {
		if err := x.do(i, s, c); err != nil {
			for _, c := range s.Restore {
				_ = x.do(i, s, c) // that the step failed is what counts
			}
			return err
		}
	}
	switch {
	case s.Program != nil:
		return x.program(i, s)
	case s.Helper != nil:
		return x.helper(i, s)
	case s.Talk != nil:
		return s.Talk(func(c kernel.Call) (kernel.Result, error) { return x.ask(i, s, c) })
	}
	return nil
}

// do makes one call on the host's side.
func (x *run) do(i int, s Step, c kernel.Call) error {
	_, err := x.ask(i, s, c)
	return err
}

func (x *run) ask(i int, s Step, c kernel.Call) (kernel.Result, error) {
	text := ""
	if x.Observe != nil {
		text = x.host.Text(c)
	}
	r, err := x.host.Do(c)
	if x.Observe != nil && r.State != kernel.Skipped {
		x.emit(callEvent(i, s, c, text, r))
	}
	return r, err
}

// follow keeps step with the child through the barriers of an Inside step.
// It reports over when there is nothing left to follow.
func (x *run) follow(s Step) (over bool, err error) {
	for _, c := range s.Calls {
		switch {
		case c.Tells():
			if !x.child.Hear() {
				_, err := x.verdict()
				return true, err
			}
			for slot, v := range x.child.Results() {
				x.host.Slots[slot] = v
			}
			if c.Detaches() {
				return true, nil
			}
		case c.Awaits():
			x.child.Release() // a child that is gone is noticed at the next Hear
		}
	}
	if x.Fault.Kill && x.Fault.Step == s.Name && x.child.Hear() {
		x.die(s)
	}
	return false, nil
}

// verdict asks the recorder how the child ended, and finds the step.
func (x *run) verdict() (int, error) {
	err := x.child.Executed()
	var ce *kernel.CallError
	if !asCallError(err, &ce) {
		return len(x.plan) - 1, err
	}
	for i := range x.plan {
		if x.plan[i].Side == Inside && ce.Index < x.first[i+1] {
			return i, err
		}
	}
	return len(x.plan) - 1, err
}

// pause lets the watcher look around before step i. The child stands still at
// the barrier that cloneStep put in front of every Inside step.
func (x *run) pause(i int) (at int, err error) {
	if x.Pause == nil {
		return i, nil
	}
	pid := 0
	if x.child != nil {
		pid = x.child.Final()
	}
	if x.plan[i].Side == Inside {
		if !x.child.Hear() {
			return x.verdict() // an earlier step broke off
		}
		x.report(i)
		pid = x.child.Final()
	}
	if err := x.Runner.Pause(Pause{x.plan, i, pid}); err != nil {
		return i, err
	}
	if x.plan[i].Side == Inside {
		x.child.Release()
	}
	return i, nil
}

// report emits what the child did in the steps before end, as far as the
// recorder knows and as has not been reported.
func (x *run) report(end int) {
	if x.Observe == nil || x.child == nil {
		return
	}
	texts := x.child.Texts()
	for ; x.told < end; x.told++ {
		s := x.plan[x.told]
		if s.Side != Inside {
			if s.Side == Clone {
				x.reportCalls(x.told, s, texts, 0, kernel.Preamble)
			}
			continue
		}
		if from := x.first[x.told]; from < len(texts) && x.child.Rec.Result(from).State != kernel.Pending {
			x.emit(stepEvent(StepEvent, x.told, s))
			x.reportCalls(x.told, s, texts, from, x.first[x.told+1])
		}
	}
}

func (x *run) reportCalls(i int, s Step, texts []string, from, to int) {
	for j := from; j < to; j++ {
		r := x.child.Rec.Result(j)
		if r.State == kernel.Pending {
			return
		}
		if r.State == kernel.Skipped {
			continue // never made
		}
		e := callEvent(i, s, x.child.Calls()[j], texts[j], r)
		e.PID = x.child.PID
		x.emit(e)
	}
}

// reap ends the child of a plan that failed. Killing the first process of a
// pid namespace kills all of them.
func (x *run) reap() {
	if x.child == nil {
		return
	}
	for _, pid := range []int{x.child.Final(), x.child.PID} {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		for {
			if _, err := syscall.Wait4(pid, nil, 0, nil); err != syscall.EINTR {
				break
			}
		}
	}
	x.child.Close()
}

// announce tells that a step begins; nobody needs its chapter's name unless
// somebody asks.
func (x *run) announce(i int, s Step) {
	if x.Observe != nil {
		x.Observe(stepEvent(StepEvent, i, s))
	}
}

func (x *run) emit(e Event) {
	if x.Observe != nil {
		x.Observe(e)
	}
}

// broken returns the calls of a step, with one that the kernel refuses at the
// end if the fault asks for it.
func (x *run) broken(s Step) []kernel.Call {
	if x.Fault.Kill || x.Fault.Step == "" || x.Fault.Step != s.Name {
		return s.Calls
	}
	n := len(s.Calls)
	if n > 0 && (s.Side == Clone || s.Calls[n-1].IsExec()) {
		n = 0 // what does not come back must be broken before
	}
	calls := append([]kernel.Call{}, s.Calls[:n]...)
	calls = append(calls, kernel.Chdir("/nonexistent/minictr-fault"))
	return append(calls, s.Calls[n:]...)
}

func (x *run) die(s Step) {
	if x.Fault.Kill && x.Fault.Step == s.Name {
		x.Fault.Die()
	}
}

func asCallError(err error, target **kernel.CallError) bool { return errors.As(err, target) }
