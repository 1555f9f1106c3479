package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/explain"
	"minictr/pkg/runtime"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
	"minictr/pkg/terminal"
)

type stepFlags struct {
	runFlags
	style styleFlags
}

func newStep(a *app) *cobra.Command {
	var f stepFlags
	cmd := &cobra.Command{
		Use:   "step [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "Make a container one step at a time",
		Long: `Make a container as 'minictr run' with the same flags does, and stop before each
step of its plan. At the prompt, Enter runs the step; 'h' lists what else there
is: what the container has so far, what the last step changed, a shell in the
half-made container. 'q' stops and undoes everything.

The commands may come from a pipe. When they end before the plan does, it is
undone, and the exit code is 1.`,
		Example: `  minictr step -it --rm alpine sh
  printf 'c rootfs.pivot\nb\nq\n' | minictr step alpine true`,
		Args: atLeast(1, "an image"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCode(codeEngine, a.step(cmd, args, &f))
		},
	}
	fs := cmd.Flags()
	f.containerFlags.add(fs)
	f.style.add(cmd)
	f.sigProxy, f.detachKeys = true, terminal.DefaultDetachKeys
	fs.StringArrayVar(&f.without, "without", nil, "leave out a `step`, to see what breaks")
	return cmd
}

func (a *app) step(cmd *cobra.Command, args []string, f *stepFlags) error {
	ctx := cmd.Context()
	streams, err := f.streams(a)
	if err != nil {
		return err
	}
	e, c, err := a.create(ctx, cmd, args, &f.containerFlags)
	if err != nil {
		return err
	}
	talk := &conversation{a: a, engine: e, container: c, prompter: explain.Prompter{
		In: os.Stdin, Out: a.err, Style: f.style.of(a.err), Echo: !terminal.IsTerminal(os.Stdin),
		Shell: explain.Shell(os.Stdin, os.Stdout, os.Stderr),
	}}
	session, err := e.Start(ctx, c, engine.StartOptions{
		Streams: streams, Without: f.without, Pause: talk.pause, Observe: talk.observe,
	})
	if err != nil {
		f.removeCidFile()
		return talk.ending(err, a.forget(e, c))
	}
	return a.untilDetached(ctx, session)
}

// conversation is a prompter that talks about a shim's plan.
type conversation struct {
	a         *app
	engine    *engine.Engine
	container *engine.Container
	prompter  explain.Prompter

	plan step.Plan
	tell func(step.Event)
	quit error // why the user's part of it ended
}

// pause asks the user. The shim says only where it stands: the plan is a
// function of the container's files, so we can have the same one.
func (t *conversation) pause(at wire.PausePoint) error {
	if err := t.load(); err != nil {
		return err
	}
	if at.Index >= len(t.plan) || t.plan[at.Index].Name != at.Step {
		return fmt.Errorf("the shim stands before step %s, which is not step %d of our plan: are minictr and minictr-shim of one version?", at.Step, at.Index+1)
	}
	err := t.prompter.Pause(step.Pause{Plan: t.plan, Index: at.Index, PID: at.PID})
	if errors.Is(err, explain.ErrQuit) {
		t.quit = err
	}
	return err
}

func (t *conversation) load() error {
	if t.plan != nil {
		return nil
	}
	config, err := runtime.Load(t.engine.Dirs.Container(t.container.ID))
	if err == nil {
		t.plan, err = runtime.Plan(config, runtime.IO{Terminal: t.container.Config.TTY})
	}
	if err != nil {
		return fmt.Errorf("find out what the plan is: %w", err)
	}
	return nil
}

// observe prints what was done. The first event comes after the first pause,
// and so the number of steps is known.
func (t *conversation) observe(e step.Event) {
	if t.quit != nil && e.Kind == step.FailedEvent {
		return // that the plan broke off is what the user said
	}
	if t.tell == nil {
		style := t.prompter.Style
		style.Steps = len(t.plan)
		t.tell = explain.Text(t.a.err, style)
	}
	t.tell(e)
}

// ending is the result of a container that did not start: quitting is what the
// user wanted, and is said in a line of its own.
func (t *conversation) ending(err, forgotten error) error {
	switch {
	case t.quit == nil:
		return startError(t.container, errors.Join(err, forgotten))
	case forgotten != nil:
		return forgotten
	}
	t.a.notice("stopped; nothing of the container is left")
	if errors.Is(t.quit, io.EOF) {
		return exit(codeClient)
	}
	return nil
}

// of is the style for text that goes to w.
func (s styleFlags) of(w io.Writer) explain.Style {
	var style explain.Style
	if f, ok := w.(*os.File); ok {
		style = explain.StyleFor(f)
	}
	style.All, style.Shell = s.all, s.shell
	return style
}
