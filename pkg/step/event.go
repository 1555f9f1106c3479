package step

import (
	"fmt"
	"syscall"

	"minictr/pkg/kernel"
)

// Event is one thing that happened while a plan ran. Its fields are facts: the
// result and the times are the flight recorder's. One event is one line of
// `--explain=json`.
type Event struct {
	Kind    Kind   `json:"kind"`
	Step    string `json:"step,omitempty"`
	Index   int    `json:"index"`             // of the step in its plan, from 0
	Side    Side   `json:"side"`              //
	Topic   string `json:"topic,omitempty"`   // of the book, on step events
	Chapter string `json:"chapter,omitempty"` // likewise
	Why     string `json:"why,omitempty"`     // likewise

	Name   string `json:"name,omitempty"`   // of the system call, on call events
	Call   string `json:"call,omitempty"`   // the call as it was made
	Result string `json:"result,omitempty"` // as strace prints it
	Ret    int64  `json:"ret,omitempty"`    // return value
	Errno  int    `json:"errno,omitempty"`
	OK     bool   `json:"ok"`              // succeeded, or failed in a way the step allows
	Start  int64  `json:"start,omitempty"` // CLOCK_MONOTONIC, nanoseconds
	Nanos  int64  `json:"nanos,omitempty"` // duration in nanoseconds
	PID    int    `json:"pid,omitempty"`   // of the process that made the call, 0: the shim
	Shell  string `json:"shell,omitempty"` // equivalent shell command
	Error  string `json:"error,omitempty"` // on failed events
	Hint   string `json:"hint,omitempty"`  // what the error usually means
}

// Kind is what an event tells.
type Kind string

// The kinds of event, in the order they come.
const (
	StepEvent   Kind = "step"   // a step begins
	CallEvent   Kind = "call"   // a call returned
	UndoEvent   Kind = "undo"   // a step is taken back; its calls follow
	FailedEvent Kind = "failed" // the plan broke off
	ReadyEvent  Kind = "ready"  // the container's program runs
)

func stepEvent(kind Kind, i int, s Step) Event {
	return Event{Kind: kind, Step: s.Name, Index: i, Side: s.Side, Topic: string(s.Topic), Chapter: s.Topic.String(), Why: s.Why, OK: true}
}

func callEvent(i int, s Step, c kernel.Call, text string, r kernel.Result) Event {
	e := Event{
		Kind: CallEvent, Step: s.Name, Index: i, Side: s.Side,
		Name: c.Name, Call: text, Result: r.String(), Start: r.Start, Shell: c.Shell,
		Errno: int(r.Errno), OK: r.Errno == 0 || c.Allowed(r.Errno),
	}
	if r.State == kernel.Done {
		e.Nanos = r.End - r.Start
	}
	if r.OK() {
		e.Ret = int64(r.Ret)
	}
	if r.State == kernel.Entered {
		e.OK = c.IsExec()
		if c.IsExec() {
			e.Result = "0" // it never returned here because it succeeded
		}
	}
	return e
}

// Error is a plan that broke off: the step, and the call the kernel refused.
type Error struct {
	Step Step
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Step.Name, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what the failed call's errno usually means, or "".
func (e *Error) Hint() string {
	var ce *kernel.CallError
	if ok := asCallError(e.Err, &ce); ok && !ce.Killed {
		return kernel.Hint(ce.Call.Name, ce.Errno)
	}
	return ""
}

// Errno is the kernel's answer that broke the plan, 0 if it was something else.
func (e *Error) Errno() syscall.Errno {
	var ce *kernel.CallError
	if asCallError(e.Err, &ce) {
		return ce.Errno
	}
	return 0
}
