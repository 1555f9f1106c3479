package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
)

// eachContainer does something with every container named, and prints the name
// as it was given.
func (a *app) eachContainer(ctx context.Context, args []string, do func(*engine.Engine, *engine.Container) error) error {
	return a.containers(ctx, a.each, args, do)
}

// allContainers is eachContainer for all of them at once.
func (a *app) allContainers(ctx context.Context, args []string, do func(*engine.Engine, *engine.Container) error) error {
	return a.containers(ctx, a.eachAtOnce, args, do)
}

type eacher func(args []string, do func(ref string) (printed string, err error)) error

func (a *app) containers(ctx context.Context, each eacher, args []string, do func(*engine.Engine, *engine.Container) error) error {
	e, err := a.engine(ctx)
	if err != nil {
		return err
	}
	return each(args, func(ref string) (string, error) {
		c, err := e.Get(ref)
		if err == nil {
			err = do(e, c)
		}
		return ref, err
	})
}

const someContainers = "at least one container"

func newStop(a *app) *cobra.Command {
	var seconds int
	var sig unix.Signal
	cmd := &cobra.Command{
		Use:   "stop [OPTIONS] CONTAINER...",
		Short: "Ask containers to end, and kill them if they do not",
		Long: `Ask containers to end: their first process gets the stop signal (SIGTERM, or
what the image says). One that has not ended after ten seconds is killed.`,
		Example: `  minictr stop web
  minictr stop -t 2 web db`,
		Args:              atLeast(1, someContainers),
		ValidArgsFunction: a.completeRunning,
		RunE: func(cmd *cobra.Command, args []string) error {
			timeout := duration(cmd.Flags(), "timeout", seconds)
			if cmd.Flags().Changed("time") {
				timeout = duration(cmd.Flags(), "time", seconds)
			}
			return a.allContainers(cmd.Context(), args, func(e *engine.Engine, c *engine.Container) error {
				return e.StopWith(cmd.Context(), c, timeout, sig)
			})
		},
	}
	cmd.Flags().IntVarP(&seconds, "timeout", "t", 10, "`seconds` to wait before killing; -1: for ever")
	cmd.Flags().IntVar(&seconds, "time", 10, "the same as --timeout")
	cmd.Flags().Lookup("time").Hidden = true
	flag(cmd.Flags(), &sig, "signal,s", "signal", "the signal instead of the container's own", config.ParseSignal)
	return cmd
}

// duration is a flag's value if it was given, nil if not.
func duration(fs *pflag.FlagSet, name string, seconds int) *time.Duration {
	if !fs.Changed(name) {
		return nil
	}
	d := time.Duration(seconds) * time.Second
	return &d
}

func newKill(a *app) *cobra.Command {
	sig := unix.SIGKILL
	cmd := &cobra.Command{
		Use:   "kill [OPTIONS] CONTAINER...",
		Short: "Send a signal to containers, SIGKILL if none is named",
		Long: `Send a signal to the first process of containers: SIGKILL, or another one.

The first process of a pid namespace is protected: signals that it has not
asked for (other than SIGKILL and SIGSTOP from outside) do nothing to it.`,
		Example: `  minictr kill web
  minictr kill -s HUP web`,
		Args:              atLeast(1, someContainers),
		ValidArgsFunction: a.completeRunning,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.allContainers(cmd.Context(), args, func(e *engine.Engine, c *engine.Container) error {
				return e.Kill(cmd.Context(), c, sig)
			})
		},
	}
	flag(cmd.Flags(), &sig, "signal,s", "signal", "the signal: KILL, SIGKILL or 9", config.ParseSignal)
	return cmd
}

func newRm(a *app) *cobra.Command {
	var o engine.RemoveOptions
	cmd := &cobra.Command{
		Use:     "rm [OPTIONS] CONTAINER...",
		Aliases: []string{"remove"},
		Short:   "Remove containers",
		Long: `Remove containers: their records, names, logs, and what they wrote to their
root. Volumes stay, but for anonymous ones with -v.`,
		Example: `  minictr rm web
  minictr rm -f $(minictr ps -aq)`,
		Args:              atLeast(1, someContainers),
		ValidArgsFunction: a.completeAny,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.rm(cmd.Context(), args, o)
		},
	}
	cmd.Flags().BoolVarP(&o.Force, "force", "f", false, "kill those that run; none of that name is no error")
	cmd.Flags().BoolVarP(&o.Volumes, "volumes", "v", false, "their anonymous volumes too")
	refuseBecause(cmd.Flags(), "link,l!", noLinks)
	return cmd
}

func (a *app) rm(ctx context.Context, args []string, o engine.RemoveOptions) error {
	e, err := a.engine(ctx)
	if err != nil {
		return err
	}
	return a.eachAtOnce(args, func(ref string) (string, error) {
		c, err := e.Get(ref)
		var damaged *engine.DamagedError
		switch {
		case o.Force && notFound(err):
			a.complain(nil, err)
			return "", nil
		case o.Force && errors.As(err, &damaged): // that is what force is for
		case err != nil:
			return "", err
		}
		return ref, e.Remove(ctx, c, o)
	})
}

func newWait(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "wait CONTAINER...",
		Short:             "Wait until containers have ended, and print their exit codes",
		Example:           `  minictr wait web`,
		Args:              atLeast(1, someContainers),
		ValidArgsFunction: a.completeRunning,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			return a.each(args, func(ref string) (string, error) {
				c, err := e.Get(ref)
				if err != nil {
					return "", err
				}
				code, err := e.Wait(cmd.Context(), c)
				return fmt.Sprint(code), err
			})
		},
	}
}

func newRename(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "rename CONTAINER NAME",
		Short:             "Give a container another name",
		Example:           `  minictr rename web web-old`,
		Args:              exactly(2, "a container and its new name"),
		ValidArgsFunction: completeFirst(a.completeAny),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			c, err := e.Get(args[0])
			if err != nil {
				return err
			}
			return e.Rename(c, args[1])
		},
	}
}

func newPort(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "port CONTAINER [PORT[/PROTOCOL]]",
		Short: "List the published ports of a container",
		Example: `  minictr port web
  minictr port web 80/tcp`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return exactly(2, "a container and perhaps a port")(cmd, args)
			}
			return nil
		},
		ValidArgsFunction: completeFirst(a.completeRunning),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			c, err := e.Get(args[0])
			if err != nil {
				return err
			}
			return a.port(e, c, args[1:])
		},
	}
}

func (a *app) port(e *engine.Engine, c *engine.Container, want []string) error {
	found := false
	for _, p := range e.Ports(c) {
		name := fmt.Sprintf("%d/%s", p.ContainerPort, p.Protocol)
		host := fmt.Sprintf("%s:%d", p.HostIP, p.HostPort)
		switch {
		case p.HostPort == 0:
		case len(want) == 0:
			fmt.Fprintf(a.out, "%s -> %s\n", name, host)
		case want[0] == name || want[0]+"/tcp" == name:
			fmt.Fprintln(a.out, host)
			found = true
		}
	}
	if len(want) > 0 && !found {
		return fmt.Errorf("no public port '%s' published for %s", want[0], c.Name)
	}
	return nil
}
