package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
)

// app is what all commands share.
type app struct {
	args     []string // the command line, without the program's name
	out, err io.Writer
}

// engine opens the containers of this machine, and first clears up behind
// shims that were killed.
func (a *app) engine(ctx context.Context) (*engine.Engine, error) {
	if err := engine.NeedRoot(); err != nil {
		return nil, err
	}
	e, err := engine.Open()
	if err != nil {
		return nil, err
	}
	if err := e.Settle(ctx); err != nil {
		a.warn("%s", oneLine(err))
	}
	return e, nil
}

// warn tells of something that did not stop the command.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.err, "minictr: warning: "+format+"\n", args...)
}

// notice is a line about what is going on, for people.
func (a *app) notice(text string) { fmt.Fprintln(a.err, text) }

const rootHelp = `minictr makes containers and shows how they are made.

The commands and flags are docker's: what your notes say about docker works
with minictr in its place. There is no daemon. Containers outlive the command
that made them, each looked after by a small process of its own (minictr-shim).

A container is a list of kernel calls. 'minictr run --explain' prints each call
as it happens, 'minictr plan' prints them without running anything, and
'minictr step' stops in front of each.`

const rootExample = `  minictr run -it alpine sh                  a shell in a container
  minictr run --explain alpine true          what the kernel was asked to do
  minictr run -d --name web -p 8080:80 nginx a server in the background
  minictr ps                                 what runs
  minictr exec -it web sh                    a second process in it
  minictr rm -f web                          gone`

// unknownCommand tells a command of docker's that is still to come from a
// mistyped one.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	path := cmd.CommandPath() + " " + args[0]
	if dockerCommands[path] {
		return &exitError{codeClient, fmt.Errorf("'%s' is not supported yet", path)}
	}
	err := fmt.Errorf("'%s' is no command", path)
	cmd.SuggestionsMinimumDistance = 2
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		err = fmt.Errorf("%w: did you mean '%s %s'?", err, cmd.CommandPath(), s[0])
	}
	return &exitError{codeClient, &usageError{err}}
}

// atLeast, atMost and exactly check the number of arguments and say what is missing.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return &exitError{codeClient, &usageError{fmt.Errorf("'%s' needs %s", cmd.CommandPath(), what)}}
		}
		return nil
	}
}

func atMost(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return &exitError{codeClient, &usageError{fmt.Errorf("'%s' takes %s", cmd.CommandPath(), what)}}
		}
		return nil
	}
}

func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return &exitError{codeClient, &usageError{fmt.Errorf("'%s' takes %s", cmd.CommandPath(), what)}}
		}
		return nil
	}
}

// each does something with every argument, prints those it worked for, and
// goes on after an error, as docker does.
func (a *app) each(args []string, do func(ref string) (printed string, err error)) error {
	failed := false
	for _, ref := range args {
		printed, err := do(ref)
		if err != nil {
			a.complain(nil, err)
			failed = true
			continue
		}
		if printed != "" {
			fmt.Fprintln(a.out, printed)
		}
	}
	if failed {
		return exit(codeClient)
	}
	return nil
}

// eachAtOnce is each for what may wait long, such as for a container's end: it
// does so for many arguments at once, as docker does, and prints in their order.
func (a *app) eachAtOnce(args []string, do func(ref string) (printed string, err error)) error {
	type result struct {
		printed string
		err     error
	}
	results := make([]chan result, len(args))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	go func() {
		places := make(chan struct{}, 250) // who waits costs a socket and little memory
		for i, ref := range args {
			places <- struct{}{}
			go func() {
				printed, err := do(ref)
				results[i] <- result{printed, err}
				<-places
			}()
		}
	}()
	next := 0
	return a.each(args, func(string) (string, error) {
		r := <-results[next]
		next++
		return r.printed, r.err
	})
}
