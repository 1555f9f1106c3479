package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newTop(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top CONTAINER [ps OPTIONS]",
		Short: "List the processes of a container",
		Long: `List the processes of a running container: those in its cgroup. The pids are
this machine's; inside, the container numbers them from 1. What follows the name
are options of ps.`,
		Example: `  minictr top web
  minictr top web -o pid,user,comm`,
		Args:              atLeast(1, "a container"),
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
			p, err := e.Top(c, args[1:])
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(a.out, 20, 1, 3, ' ', 0)
			for _, row := range append([][]string{p.Titles}, p.Processes...) {
				fmt.Fprintln(t, strings.Join(row, "\t"))
			}
			return t.Flush()
		},
	}
	cmd.Flags().SetInterspersed(false)
	return cmd
}
