package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// JSON returns an observer that writes one event a line. An event that cannot
// be written is lost: the container is not to suffer from a full disk or a
// reader that went away.
func JSON(w io.Writer) func(step.Event) {
	enc := encoder(w)
	return func(e step.Event) { _ = enc.Encode(e) }
}

// Text returns an observer that prints events for people: each step with its
// reason, each call with its result and duration, and a summary when the
// container's program runs. What cannot be written is lost.
func Text(w io.Writer, st Style) func(step.Event) {
	t := &teller{w: w, st: st, at: -1}
	return t.tell
}

// teller prints events as they come.
type teller struct {
	w       io.Writer
	st      Style
	at      int // step whose head was printed last
	undoing bool
	hinted  bool // the last failed call's hint was printed
	steps   int
	calls   []step.Event
}

func (t *teller) tell(e step.Event) {
	p := &page{st: t.st}
	switch e.Kind {
	case step.StepEvent:
		t.at, t.undoing = e.Index, false
		t.steps++
		p.head(e.Index, e.Step, e.Side, e.Chapter, "")
		p.why(e.Why)
	case step.UndoEvent:
		t.at, t.undoing = e.Index, true
		p.head(e.Index, e.Step, step.Host, "", "undo ")
	case step.CallEvent:
		t.call(p, e)
	case step.FailedEvent:
		t.failed(p, e)
	case step.ReadyEvent:
		p.line(p.st.in(green, fmt.Sprintf("ready: process %d runs the container's program", e.PID)))
		t.summary(p)
	}
	_, _ = io.WriteString(t.w, p.String())
}

func (t *teller) call(p *page, e step.Event) {
	if e.Index != t.at { // the new process's very first calls, reported late
		t.at = e.Index
		p.head(e.Index, e.Step, step.Inside, "", "")
		p.why("The new process puts right what every child of a Go program inherits.")
	}
	if !t.undoing {
		t.calls = append(t.calls, e)
	}
	if skipped(e) {
		p.inked(dim, e.Call, "not made here", "")
		return
	}
	text, i, remark := e.Call+" = "+e.Result, ink(""), duration(e.Nanos)
	switch {
	case e.Result == "?" || e.OK && e.Nanos == 0:
		remark = "did not return"
	case !e.OK:
		i = red
	case e.Errno != 0:
		remark = "fine here · " + remark
	case tells(e):
		remark = "tells the parent · " + remark
	case waits(e):
		remark = "waits for the parent · " + remark
	}
	p.inked(i, text, remark, shellOf(t.st, e.Shell))
	if t.hinted = false; e.OK || t.undoing {
		return
	}
	if hint := kernel.Hint(e.Name, syscall.Errno(e.Errno)); hint != "" {
		t.hint(p, hint)
		t.hinted = true
	}
}

func (t *teller) hint(p *page, hint string) {
	for _, l := range words("hint: "+clean(hint), p.st.width()-len(callIndent)-2) {
		p.line(callIndent + "  " + p.st.in(yellow, l))
	}
}

func (t *teller) failed(p *page, e step.Event) {
	p.line("")
	what := clean("failed at " + e.Step + ": " + e.Error)
	if !t.st.All {
		what = shorten(what)
	}
	for _, l := range wrap(what, p.st.width()) {
		p.line(p.st.in(red, l))
	}
	if e.Hint != "" && !t.hinted {
		t.hint(p, e.Hint)
	}
	t.summary(p)
}

func skipped(e step.Event) bool { return e.Result == "(skipped)" }

// summary is the last line: how much was done, how long it took, and what took
// longest. Calls that only wait for the other side are not counted as slow.
func (t *teller) summary(p *page) {
	var made []step.Event
	var first, last int64
	for _, e := range t.calls {
		if skipped(e) || e.Start == 0 {
			continue
		}
		if first == 0 || e.Start < first {
			first = e.Start
		}
		last = max(last, e.Start+e.Nanos)
		made = append(made, e)
	}
	p.line(p.st.in(bold, fmt.Sprintf("%s, %s in %s", plural(t.steps, "step"), plural(len(made), "call"), duration(last-first))))
	slow := slices.DeleteFunc(made, waits)
	slices.SortStableFunc(slow, func(a, b step.Event) int { return int(b.Nanos - a.Nanos) })
	if len(slow) > 3 {
		slow = slow[:3]
	}
	var names []string
	for _, e := range slow {
		names = append(names, fmt.Sprintf("%s of %s (%s)", e.Name, e.Step, duration(e.Nanos)))
	}
	if len(names) > 0 {
		for _, l := range words("slowest: "+clean(strings.Join(names, ", ")), p.st.width()) {
			p.line(p.st.in(dim, l))
		}
	}
	t.steps, t.calls = 0, nil
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// tells and waits report the calls by which the new process and its parent keep
// step; the waiting one stood still until the parent said go on.
func tells(e step.Event) bool {
	return e.PID != 0 && e.Name == "write" && strings.HasSuffix(e.Call, `, "+", 1)`)
}

func waits(e step.Event) bool {
	return e.PID != 0 && e.Name == "read" && strings.HasSuffix(e.Call, `, "g", 1)`)
}

// duration prints nanoseconds in the unit that people compare calls in.
func duration(nanos int64) string {
	d := time.Duration(nanos)
	switch {
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d >= 10*time.Microsecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
	return fmt.Sprintf("%.1f µs", float64(d)/1e3)
}
