package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
)

func newPause(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "pause CONTAINER...",
		Short: "Freeze all processes of containers",
		Long: `Freeze all processes of containers, those that they are just making included.
The kernel's cgroup does it: nobody is sent a signal, and nobody can refuse.`,
		Example:           `  minictr pause web`,
		Args:              atLeast(1, someContainers),
		ValidArgsFunction: a.completeRunning,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.eachContainer(cmd.Context(), args, func(e *engine.Engine, c *engine.Container) error {
				return e.Pause(cmd.Context(), c)
			})
		},
	}
}

func newUnpause(a *app) *cobra.Command {
	return &cobra.Command{
		Use:               "unpause CONTAINER...",
		Short:             "Let paused containers go on",
		Example:           `  minictr unpause web`,
		Args:              atLeast(1, someContainers),
		ValidArgsFunction: a.completeRunning,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.eachContainer(cmd.Context(), args, func(e *engine.Engine, c *engine.Container) error {
				return e.Unpause(cmd.Context(), c)
			})
		},
	}
}

func newRestart(a *app) *cobra.Command {
	var seconds int
	var sig unix.Signal
	cmd := &cobra.Command{
		Use:   "restart [OPTIONS] CONTAINER...",
		Short: "Stop containers, if they run, and start them again",
		Example: `  minictr restart web
  minictr restart -t 2 web db`,
		Args:              atLeast(1, someContainers),
		ValidArgsFunction: a.completeAny,
		RunE: func(cmd *cobra.Command, args []string) error {
			timeout := duration(cmd.Flags(), "timeout", seconds)
			if cmd.Flags().Changed("time") {
				timeout = duration(cmd.Flags(), "time", seconds)
			}
			return a.eachContainer(cmd.Context(), args, func(e *engine.Engine, c *engine.Container) error {
				return startError(c, e.Restart(cmd.Context(), c, timeout, sig))
			})
		},
	}
	cmd.Flags().IntVarP(&seconds, "timeout", "t", 10, "`seconds` to wait before killing; -1: for ever")
	cmd.Flags().IntVar(&seconds, "time", 10, "the same as --timeout")
	cmd.Flags().Lookup("time").Hidden = true
	flag(cmd.Flags(), &sig, "signal,s", "signal", "the signal that asks it to end", config.ParseSignal)
	return cmd
}

func newStartEnabled(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "start-enabled",
		Short: "Start the containers that shall run after the machine was started",
		Long: `Start the containers whose restart policy says that they shall run after the
machine was started: always, or unless-stopped if nobody has stopped them. They
must have run before. Docker's daemon does this when it starts; here there is no
daemon, and scripts/minictr.service has systemd run this command instead.`,
		Example: `  minictr system start-enabled`,
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			return e.StartEnabled(cmd.Context(), func(c *engine.Container) { fmt.Fprintln(a.out, c.Name) })
		},
	}
}
