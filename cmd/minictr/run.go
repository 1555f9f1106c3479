package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"minictr/pkg/engine"
	"minictr/pkg/explain"
	"minictr/pkg/shim/client"
	"minictr/pkg/step"
	"minictr/pkg/terminal"
)

// runFlags are what run has besides the container's description.
type runFlags struct {
	containerFlags
	sigProxy   bool
	detachKeys string
	explain    string
	without    []string
}

func newRun(a *app) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "Make a container from an image and run a command in it",
		Long: `Make a container from an image and run a command in it: the one that is named,
or the image's own. The image is pulled if it is not on this machine.

What follows IMAGE belongs to the command, flags included. The exit code is the
command's; 125 means that the container could not be made, 126 that the command
may not be run, 127 that there is no such command, 128 and more that a signal
ended it.

With -i and -t, the keys Ctrl-P Ctrl-Q leave the container running.

--explain prints each kernel call that made the container, with its result and
its reason, on standard error.`,
		Example: `  minictr run alpine echo hello
  minictr run -it --rm alpine sh
  minictr run -d --name web -p 8080:80 nginx
  minictr run --rm -v "$PWD":/src:ro -w /src alpine ls
  minictr run --rm -m 64m --cpus 0.5 --pids-limit 20 alpine sh -c 'cat /proc/self/cgroup'
  minictr run --rm --explain alpine true
  minictr run --rm --without namespace.hostname alpine hostname`,
		Args:              atLeast(1, "an image"),
		ValidArgsFunction: completeFirst(a.completeImages),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.runContainer(cmd, args, &f)
			return withCode(codeEngine, err)
		},
	}
	fs := cmd.Flags()
	f.containerFlags.add(fs)
	fs.BoolVarP(&f.detached, "detach", "d", false, "run in the background and print the container's ID")
	fs.BoolVar(&f.sigProxy, "sig-proxy", true, "pass signals on to the command")
	fs.StringVar(&f.detachKeys, "detach-keys", terminal.DefaultDetachKeys, "the `keys` that leave it running")
	addExplain(fs, &f.explain, &f.without)
	return cmd
}

func addExplain(fs *pflag.FlagSet, explain *string, without *[]string) {
	fs.StringVar(explain, "explain", "", "print each kernel call that makes the container: text or json")
	fs.Lookup("explain").NoOptDefVal = "text"
	fs.Lookup("explain").Value = &renamed{fs.Lookup("explain").Value, "format"}
	fs.StringArrayVar(without, "without", nil, "leave out a `step` of the plan, to see what breaks ('minictr plan' lists them)")
}

// withCode gives an error an exit code of its own, unless it has one.
func withCode(code int, err error) error {
	var end *exitError
	if err == nil || errors.As(err, &end) {
		return err
	}
	return &exitError{code, err}
}

func (a *app) runContainer(cmd *cobra.Command, args []string, f *runFlags) error {
	ctx := cmd.Context()
	streams, err := f.streams(a)
	if err != nil {
		return err
	}
	observe, err := a.observer(f.explain)
	if err != nil {
		return err
	}
	e, c, err := a.create(ctx, cmd, args, &f.containerFlags)
	if err != nil {
		return err
	}
	session, err := e.Start(ctx, c, engine.StartOptions{Streams: streams, Observe: observe, Without: f.without})
	if err != nil {
		f.removeCidFile()
		return startError(c, errors.Join(err, a.forget(e, c)))
	}
	if f.detached {
		session.Close()
		fmt.Fprintln(a.out, c.ID)
		return nil
	}
	return a.untilDetached(ctx, session)
}

// create makes the container; what it could not make it has taken back.
func (a *app) create(ctx context.Context, cmd *cobra.Command, args []string, f *containerFlags) (*engine.Engine, *engine.Container, error) {
	if err := f.finish(cmd.Flags(), args); err != nil {
		return nil, nil, err
	}
	e, err := a.engine(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := f.claimCidFile(); err != nil {
		return nil, nil, err
	}
	options, done := a.imageOptions(f)
	c, err := e.Create(ctx, f.Config, options)
	done()
	if err == nil {
		err = f.writeCidFile(c.ID)
	}
	if err != nil {
		f.removeCidFile()
		return nil, nil, err
	}
	for _, w := range c.Warnings {
		a.warn("%s", w)
	}
	return e, c, nil
}

// forget takes back a container that did not start, also when the user has
// lost patience meanwhile.
func (a *app) forget(e *engine.Engine, c *engine.Container) error {
	return e.Forget(context.Background(), c)
}

// streams are the ends of the user's that the container is connected to.
func (f *runFlags) streams(a *app) (client.Streams, error) {
	var s client.Streams
	keys, err := terminal.ParseKeys(f.detachKeys)
	if err != nil {
		return s, &usageError{err}
	}
	if f.detached {
		if len(f.attach) > 0 {
			return s, &usageError{errors.New("-d and -a contradict each other")}
		}
		return s, nil
	}
	if f.OpenStdin && f.TTY && f.attaches("stdin") && !terminal.IsTerminal(os.Stdin) {
		return s, &exitError{codeClient, errNoTTY}
	}
	return f.connect(a, s, keys), nil
}

func (f *runFlags) connect(a *app, s client.Streams, keys []byte) client.Streams {
	if f.attaches("stdout") {
		s.Stdout = a.out
	}
	if f.attaches("stderr") && !f.TTY {
		s.Stderr = a.err
	}
	if f.OpenStdin && f.attaches("stdin") {
		s.Stdin = os.Stdin
	}
	if f.TTY && s.Stdin != nil {
		s.Terminal, s.DetachKeys = os.Stdin, keys
	}
	s.SigProxy = f.sigProxy
	s.Lost = func(n uint64) { a.warn("%d bytes of output were left out while this program was stopped", n) }
	return s
}

// untilDetached is follow for a command that has done its work when its user
// leaves.
func (a *app) untilDetached(ctx context.Context, session *client.Session) error {
	err := a.follow(ctx, session)
	if errors.Is(err, client.ErrDetached) {
		return nil
	}
	return err
}

// follow stays with a container until it ends or the user leaves it, which is
// [client.ErrDetached].
func (a *app) follow(ctx context.Context, session *client.Session) error {
	end, err := session.Wait(ctx)
	if errors.Is(err, client.ErrForced) {
		return &exitError{codeClient, err}
	}
	if err != nil {
		return err
	}
	if end.Error != "" {
		a.warn("%s", oneLine(errors.New(end.Error)))
	}
	return exit(end.Code)
}

// observer prints what happens while the container is made.
func (a *app) observer(format string) (func(step.Event), error) {
	switch format {
	case "":
		return nil, nil
	case "json":
		return explain.JSON(a.err), nil
	case "text":
		style := explain.Style{}
		if f, ok := a.err.(*os.File); ok {
			style = explain.StyleFor(f)
		}
		return explain.Text(a.err, style), nil
	}
	return nil, &usageError{fmt.Errorf("invalid --explain %q: want text or json", format)}
}
