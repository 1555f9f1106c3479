package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/record"
	"minictr/pkg/shim/client"
	"minictr/pkg/terminal"
)

type startFlags struct {
	attach, interactive, sigProxy bool
	detachKeys, explain           string
	without                       []string
}

func newStart(a *app) *cobra.Command {
	var f startFlags
	cmd := &cobra.Command{
		Use:   "start [OPTIONS] CONTAINER...",
		Short: "Run containers that were created or have ended",
		Long: `Run containers that were created or have ended. What a container wrote before
is still there; its address may be another one.`,
		Example: `  minictr start web
  minictr start -ai shell`,
		Args:              atLeast(1, someContainers),
		ValidArgsFunction: a.completeStopped,
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.attach || f.interactive {
				return a.startAttached(cmd.Context(), args, f)
			}
			observe, err := a.observer(f.explain)
			if err != nil {
				return err
			}
			return a.eachContainer(cmd.Context(), args, func(e *engine.Engine, c *engine.Container) error {
				session, err := start(cmd.Context(), e, c, engine.StartOptions{Observe: observe, Without: f.without})
				if session != nil {
					session.Close()
				}
				return err
			})
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.attach, "attach", "a", false, "connect to its output, and exit with its code")
	fs.BoolVarP(&f.interactive, "interactive", "i", false, "connect to its input")
	fs.BoolVar(&f.sigProxy, "sig-proxy", true, "pass signals on to it")
	fs.StringVar(&f.detachKeys, "detach-keys", terminal.DefaultDetachKeys, "the `keys` that leave it running")
	addExplain(fs, &f.explain, &f.without)
	refuse(fs, "checkpoint checkpoint-dir")
	return cmd
}

// errStartPaused is docker's word.
const errStartPaused = refusal("cannot start a paused container, try unpause instead")

// start starts a container. One that runs, perhaps since a moment ago, is what
// was asked for, as with docker: then there is neither session nor error.
func start(ctx context.Context, e *engine.Engine, c *engine.Container, o engine.StartOptions) (*client.Session, error) {
	session, err := e.Start(ctx, c, o)
	var running *engine.RunningError
	switch {
	case !errors.As(err, &running):
		return session, err
	case c.State.Status == record.Paused:
		return nil, errStartPaused
	}
	return nil, nil
}

func (a *app) startAttached(ctx context.Context, args []string, f startFlags) error {
	if len(args) > 1 {
		return &exitError{codeClient, &usageError{errors.New("you cannot start and attach multiple containers at once")}}
	}
	e, err := a.engine(ctx)
	if err != nil {
		return err
	}
	c, err := e.Get(args[0])
	if err != nil {
		return err
	}
	observe, err := a.observer(f.explain)
	if err != nil {
		return err
	}
	streams, err := a.attachStreams(c, f.interactive, f.sigProxy, f.detachKeys)
	if err != nil {
		return err
	}
	session, err := start(ctx, e, c, engine.StartOptions{Streams: streams, Observe: observe, Without: f.without})
	if session == nil && err == nil {
		session, err = e.Attach(ctx, c, streams)
	}
	if err != nil {
		return err
	}
	return a.untilDetached(ctx, session)
}

// attachStreams are the user's ends for a container that exists.
func (a *app) attachStreams(c *engine.Container, stdin, sigProxy bool, detachKeys string) (client.Streams, error) {
	s := client.Streams{Stdout: a.out, SigProxy: sigProxy}
	keys, err := terminal.ParseKeys(detachKeys)
	if err != nil {
		return s, &usageError{err}
	}
	if !c.Config.TTY {
		s.Stderr = a.err
	}
	if stdin && c.Config.OpenStdin {
		s.Stdin = os.Stdin
		if c.Config.TTY {
			if !terminal.IsTerminal(os.Stdin) {
				return s, &exitError{codeClient, errNoTTY}
			}
			s.Terminal, s.DetachKeys = os.Stdin, keys
		}
	}
	return s, nil
}
