package main

import (
	"github.com/spf13/cobra"

	"minictr/pkg/engine"
)

// What the shell offers for arguments. Without root there is nothing to offer,
// and completion never complains.

func (a *app) completeContainers(want func(*engine.Container) bool) []cobra.Completion {
	e, err := engine.Open()
	if err != nil {
		return nil
	}
	list, err := e.List()
	if err != nil {
		return nil
	}
	var names []cobra.Completion
	for _, c := range list {
		if want(c) {
			names = append(names, cobra.CompletionWithDesc(c.Name, c.Image.Name+", "+string(c.State.Status)))
		}
	}
	return names
}

func (a *app) completeAny(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completeContainers(func(*engine.Container) bool { return true }), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeRunning(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completeContainers((*engine.Container).Running), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeStopped(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completeContainers(func(c *engine.Container) bool { return !c.Running() }), cobra.ShellCompDirectiveNoFileComp
}

// completeFirst is for commands whose later arguments are something else.
func completeFirst(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return f(cmd, args, typed)
	}
}

func (a *app) completeImages(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	e, err := engine.Open()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, err := e.Images.List()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, img := range list {
		for _, n := range img.Names {
			names = append(names, n.Familiar())
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
