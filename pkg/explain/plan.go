package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Plan prints a plan that was not run: every step with its side, chapter and
// reason, and its calls as strace would print them. A result that a later call
// uses is unknown before the run and stands as <slot>.
func Plan(w io.Writer, plan step.Plan, st Style) error {
	st.Steps = len(plan)
	p := &page{st: st}
	calls := 0
	for i, s := range plan {
		p.planStep(i, s)
		calls += len(s.All())
	}
	p.line(fmt.Sprintf("%d steps, %d calls; nothing was run", len(plan), calls))
	_, err := io.WriteString(w, p.String())
	return err
}

func (p *page) planStep(i int, s step.Step) {
	p.head(i, s.Name, s.Side, s.Topic.String(), "")
	p.why(s.Why)
	for _, c := range s.All() {
		p.call(unrun(c), note(c), shellOf(p.st, c.Shell))
	}
	if len(s.All()) == 0 {
		p.line(callIndent + p.st.in(dim, "(no calls)"))
	}
	for _, l := range words(undoing(s), p.st.width()-len(whyIndent)) {
		p.line(whyIndent + p.st.in(dim, clean(l)))
	}
	if s.Risk != "" {
		for _, l := range words("cannot be left out on a real host: "+s.Risk, p.st.width()-len(whyIndent)) {
			p.line(whyIndent + p.st.in(dim, clean(l)))
		}
	}
	p.line("")
}

// unrun prints a call with the name of its result in the result's place.
func unrun(c kernel.Call) string {
	if c.Save == "" {
		return c.String()
	}
	return c.String() + " = <" + string(c.Save) + ">"
}

// note is what the list says about a call beside the call itself: when it is
// made, and which errors are as good as success.
func note(c kernel.Call) string {
	var notes []string
	for _, g := range []kernel.Guard{c.When, c.Also} {
		switch {
		case g.Slot != "" && g.Failed:
			notes = append(notes, "only if there is no <"+string(g.Slot)+">")
		case g.Slot != "":
			notes = append(notes, "only if there is <"+string(g.Slot)+">")
		}
	}
	switch {
	case c.Tells():
		notes = append(notes, "tells the parent: I am here")
	case c.Awaits():
		notes = append(notes, "waits for the parent")
	}
	if names := errnoNames(c.Allow); len(names) > 0 {
		notes = append(notes, strings.Join(names, ", ")+" would be fine")
	}
	return strings.Join(notes, "; ")
}

func errnoNames(errnos []syscall.Errno) []string {
	names := make([]string, len(errnos))
	for i, e := range errnos {
		names[i] = unix.ErrnoName(e)
	}
	return names
}

// undoing says who takes a step back.
func undoing(s step.Step) string {
	switch {
	case s.Undo != nil:
		return "undone by minictr, from its journal"
	case s.Rule != "":
		return "undone by the kernel: " + s.Rule
	}
	return ""
}

// PlannedStep is one line of PlanJSON.
type PlannedStep struct {
	Index   int           `json:"index"`
	Step    string        `json:"step"`
	Side    step.Side     `json:"side"`
	Topic   string        `json:"topic"`
	Chapter string        `json:"chapter"`
	Why     string        `json:"why"`
	Undo    bool          `json:"undo"` // minictr takes it back; if not, Rule says why the kernel does
	Rule    string        `json:"rule,omitempty"`
	Risk    string        `json:"risk,omitempty"` // of leaving it out
	Calls   []PlannedCall `json:"calls"`
}

// PlannedCall is a call that was not made.
type PlannedCall struct {
	Name   string   `json:"name"`
	Call   string   `json:"call"`
	Save   string   `json:"save,omitempty"`   // slot that gets the result
	When   string   `json:"when,omitempty"`   // slots that must hold a result, with commas
	Unless string   `json:"unless,omitempty"` // slots that must hold none
	Allow  []string `json:"allow,omitempty"`
	Shell  string   `json:"shell,omitempty"`
}

// PlanJSON prints a plan that was not run, one step a line.
func PlanJSON(w io.Writer, plan step.Plan) error {
	enc := encoder(w)
	for i, s := range plan {
		line := PlannedStep{
			Index: i, Step: s.Name, Side: s.Side, Topic: string(s.Topic), Chapter: s.Topic.String(), Why: s.Why,
			Undo: s.Undo != nil, Rule: s.Rule, Risk: s.Risk, Calls: make([]PlannedCall, 0, len(s.All())),
		}
		for _, c := range s.All() {
			pc := PlannedCall{Name: c.Name, Call: c.String(), Save: string(c.Save), Allow: errnoNames(c.Allow), Shell: c.Shell}
			for _, g := range []kernel.Guard{c.When, c.Also} {
				slots := &pc.When
				if g.Failed {
					slots = &pc.Unless
				}
				*slots = strings.Trim(*slots+","+string(g.Slot), ",")
			}
			line.Calls = append(line.Calls, pc)
		}
		if err := enc.Encode(line); err != nil {
			return fmt.Errorf("print step %s: %w", s.Name, err)
		}
	}
	return nil
}

// encoder writes one value a line, with <slot> and & as they are.
func encoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}
