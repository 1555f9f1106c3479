package main

import (
	"github.com/spf13/cobra"

	"minictr/pkg/explain"
)

type planFlags struct {
	containerFlags
	style   styleFlags
	json    bool
	picture bool
	without []string
}

// styleFlags say how much plan and step show of each call.
type styleFlags struct{ all, shell bool }

func newPlan(a *app) *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "Show the kernel calls that would make a container",
		Long: `Show the kernel calls that 'minictr run' with the same flags would make, step by
step, and make none of them. The image is pulled if it is not on this machine,
because some of the plan depends on it.

Calls are printed as strace prints them. What a call will return is not known
yet: <root> stands for the descriptor that the step before has opened.`,
		Example: `  minictr plan alpine sh
  minictr plan --network none -m 64m alpine true
  minictr plan --picture alpine true
  minictr plan --json alpine true | jq -r .step`,
		Args: atLeast(1, "an image"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCode(codeEngine, a.plan(cmd, args, &f))
		},
	}
	fs := cmd.Flags()
	f.add(fs)
	f.style.add(cmd)
	fs.BoolVar(&f.json, "json", false, "one step a line, as JSON")
	fs.BoolVar(&f.picture, "picture", false, "draw the steps of host and container side by side")
	fs.StringArrayVar(&f.without, "without", nil, "leave out a `step`")
	return cmd
}

func (s *styleFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.all, "all", false, "show long arguments whole")
	cmd.Flags().BoolVar(&s.shell, "shell", false, "show the shell commands that do the same")
}

// plan asks for a plan and prints it.
func (a *app) plan(cmd *cobra.Command, args []string, f *planFlags) error {
	if err := f.finish(cmd.Flags(), args); err != nil {
		return err
	}
	e, err := a.engine(cmd.Context())
	if err != nil {
		return err
	}
	options, done := a.imageOptions(&f.containerFlags)
	plan, err := e.Plan(cmd.Context(), f.Config, f.without, options)
	done()
	if err != nil {
		return err
	}
	switch {
	case f.json:
		return explain.PlanJSON(a.out, plan)
	case f.picture:
		return explain.Picture(a.out, plan)
	}
	return explain.Plan(a.out, plan, f.style.of(a.out))
}
