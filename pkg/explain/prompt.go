package explain

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"minictr/pkg/step"
)

// ErrQuit is what a Prompter returns when the user does not want to go on. The
// runner ends the plan with it and undoes what was done. It is io.EOF as well
// when the commands ended instead of saying so.
var ErrQuit = errors.New("stopped before this step, as you wished")

// Prompter is the conversation of `minictr step`. Its Pause method is called
// before every step; it shows the step to come and obeys commands, one a line,
// until one of them says go on or quit.
//
// It works as well with a pipe as with a terminal; it reads no byte beyond the
// line it obeys, so that a shell it starts can read the next ones.
type Prompter struct {
	In    io.Reader
	Out   io.Writer
	Style Style

	// Shell opens a shell in the namespaces of a half-made container and comes
	// back when it ends (see Shell); nil: there is none.
	Shell func(pid int) error

	// Look takes a picture of a process; nil: State.
	Look func(pid int) (Snapshot, error)

	Echo bool // print each command read: for input that is not typed

	until   string // go on to this step; "" stops at every one
	free    bool   // go on to the end
	last    *Snapshot
	current *Snapshot
}

// Pause asks what to do before a step. It is a step.Runner's Pause, and may as
// well be called for a runner in another process.
func (p *Prompter) Pause(at step.Pause) error {
	if p.free {
		return nil
	}
	p.look(at) // also where we do not stop: the next stop asks what the last step did
	if p.until != "" && at.Plan[at.Index].Name != p.until {
		return nil
	}
	p.until = ""
	p.print(func(g *page) {
		g.line("")
		g.st.Steps = len(at.Plan)
		g.planStep(at.Index, at.Plan[at.Index])
	})
	for {
		line, err := p.ask(at)
		if err != nil {
			p.say("end of input: quitting, and undoing what was done")
			return fmt.Errorf("%w: %w", ErrQuit, io.EOF)
		}
		over, err := p.obey(at, line)
		if over || err != nil {
			return err
		}
	}
}

// look keeps the picture of the last pause and takes a new one.
func (p *Prompter) look(at step.Pause) {
	p.last, p.current = p.current, nil
	if at.PID == 0 {
		return
	}
	look := p.Look
	if look == nil {
		look = State
	}
	s, err := look(at.PID)
	if err != nil {
		p.say("the container cannot be looked at: " + err.Error())
		return
	}
	p.current = &s
}

// ask prints the prompt and reads a line. A last line without a newline counts.
func (p *Prompter) ask(at step.Pause) (string, error) {
	prompt := fmt.Sprintf("%d/%d %s: run it? [n]ext, or h for help> ", at.Index+1, len(at.Plan), at.Plan[at.Index].Name)
	fmt.Fprint(p.Out, p.Style.in(bold, prompt))
	line, err := readLine(p.In)
	if err != nil && line == "" {
		fmt.Fprintln(p.Out)
		return "", err
	}
	if p.Echo {
		fmt.Fprintln(p.Out, clean(line))
	}
	return strings.TrimSpace(line), nil
}

// readLine reads byte by byte: what comes after the line belongs to others.
func readLine(r io.Reader) (string, error) {
	var line []byte
	var b [1]byte
	for {
		n, err := r.Read(b[:])
		if n == 1 {
			if b[0] == '\n' {
				return string(line), nil
			}
			line = append(line, b[0])
		}
		if err != nil {
			return string(line), err
		}
	}
}

const help = `  n, next, Enter     run this step
  c, continue        run it and all that follow
  c STEP             go on until before STEP
  b, before          the container as it is now
  a, after           what the last step changed in it
  s, shell           a shell in its namespaces, as far as they exist
  e, equivalent      the shell commands that would do what this step does
  p, plan            where we are
  q, quit            stop here and undo everything
  h, help            this list`

// obey carries out one command. It reports over when the plan is to go on.
func (p *Prompter) obey(at step.Pause, line string) (over bool, err error) {
	command, arg, _ := strings.Cut(line, " ")
	switch command {
	case "", "n", "next":
		return true, nil
	case "c", "continue":
		return p.goOn(at, strings.TrimSpace(arg)), nil
	case "q", "quit":
		return true, ErrQuit
	case "b", "before":
		p.before()
	case "a", "after":
		p.after()
	case "s", "shell":
		p.shell(at)
	case "e", "equivalent":
		p.equivalent(at.Plan[at.Index])
	case "p", "plan":
		p.where(at)
	case "h", "help", "?":
		p.say(help)
	default:
		p.say("no such command: " + clean(command) + "\n" + help)
	}
	return false, nil
}

func (p *Prompter) goOn(at step.Pause, name string) bool {
	if name == "" {
		p.free = true
		return true
	}
	if i := at.Plan.Index(name); i <= at.Index {
		p.say("no step " + clean(name) + " is still to come (p shows the plan)")
		return false
	}
	p.until = name
	return true
}

const noProcess = "there is no process yet: these steps prepare the host, the clone step makes it"

func (p *Prompter) before() {
	if p.current == nil {
		p.say(noProcess)
		return
	}
	_ = p.current.Write(p.Out, p.Style)
}

func (p *Prompter) after() {
	switch {
	case p.current == nil:
		p.say(noProcess)
	case p.last == nil:
		p.say("this is the first look at the process; b shows all of it")
	default:
		_ = WriteDiff(p.Out, Diff(*p.last, *p.current), p.Style)
	}
}

func (p *Prompter) shell(at step.Pause) {
	switch {
	case at.PID == 0:
		p.say(noProcess)
	case p.Shell == nil:
		p.say("no shell can be opened here")
	default:
		p.say("a shell in the half-made container; exit comes back here")
		if err := p.Shell(at.PID); err != nil {
			p.say("the shell: " + err.Error())
		}
		p.refresh(at)
	}
}

// refresh looks again after the user may have changed things by hand; what the
// last step did stays what the last step did.
func (p *Prompter) refresh(at step.Pause) {
	last := p.last
	p.look(at)
	p.last = last
}

func (p *Prompter) equivalent(s step.Step) {
	p.print(func(g *page) {
		any := false
		for _, c := range s.All() {
			any = any || c.Shell != ""
			g.shell(c.Shell)
		}
		if !any {
			g.line(callIndent + "no command does just this; it is for the calls alone")
		}
	})
}

// where lists the plan, what was done and what is to come.
func (p *Prompter) where(at step.Pause) {
	p.print(func(g *page) {
		for i, s := range at.Plan {
			mark := "  done "
			switch {
			case i == at.Index:
				mark = "     > "
			case i > at.Index:
				mark = "       "
			}
			g.line(fmt.Sprintf("%s%2d %-6s %s", mark, i+1, s.Side, g.st.in(bold, clean(s.Name))))
		}
	})
}

func (p *Prompter) say(s string) {
	p.print(func(g *page) {
		for _, l := range strings.Split(s, "\n") {
			g.line(clean(l))
		}
	})
}

// print lays out a page. Nobody to talk to is noticed when the next command is
// read, not here.
func (p *Prompter) print(fill func(*page)) {
	g := &page{st: p.Style}
	fill(g)
	_, _ = io.WriteString(p.Out, g.String())
}
