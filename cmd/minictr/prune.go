package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/image"
)

type pruneFlags struct {
	all, force, volumes bool
	filters             engine.Filters
}

// pruneCommand is a command that asks first, then removes and tells how much
// room that made.
func pruneCommand(a *app, f *pruneFlags, cmd *cobra.Command, warning func() string, do func(*engine.Engine) (int64, error)) *cobra.Command {
	cmd.Use, cmd.Args = "prune [OPTIONS]", exactly(0, "no arguments")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		e, err := a.engine(cmd.Context())
		if err != nil {
			return err
		}
		if !f.force && !a.sure(warning()) {
			return nil
		}
		bytes, err := do(e)
		if err == nil {
			fmt.Fprintf(a.out, "Total reclaimed space: %s\n", size(bytes))
		}
		return err
	}
	cmd.Flags().BoolVarP(&f.force, "force", "f", false, "do not ask")
	add(cmd.Flags(), "filter", "KEY=VALUE", "only those with label=KEY[=VALUE], or without (label!=…), or older than until=TIME", f.filters.Add)
	return cmd
}

func newContainerPrune(a *app) *cobra.Command {
	f := &pruneFlags{}
	cmd := &cobra.Command{
		Short: "Remove all containers that do not run",
		Example: `  minictr container prune
  minictr container prune -f --filter until=24h`,
	}
	return pruneCommand(a, f, cmd, func() string { return "This will remove all stopped containers." },
		func(e *engine.Engine) (int64, error) { return a.pruneContainers(cmd, e, f) })
}

func (a *app) pruneContainers(cmd *cobra.Command, e *engine.Engine, f *pruneFlags) (int64, error) {
	removed, bytes, err := e.PruneContainers(cmd.Context(), f.filters)
	a.printPruned("Containers", removed)
	return bytes, err
}

func (a *app) printPruned(what string, removed []string) {
	if len(removed) > 0 {
		fmt.Fprintf(a.out, "Deleted %s:\n%s\n\n", what, strings.Join(removed, "\n"))
	}
}

func newImagePrune(a *app) *cobra.Command {
	f := &pruneFlags{}
	cmd := &cobra.Command{
		Short: "Remove images that nobody needs",
		Long: `Remove images without a name; with -a all that no container was made from. Layers
go with the last image that has them.`,
		Example: `  minictr image prune
  minictr image prune -a --filter until=240h`,
	}
	warning := func() string {
		if f.all {
			return "This will remove all images without at least one container associated to them."
		}
		return "This will remove all dangling images."
	}
	cmd.Flags().BoolVarP(&f.all, "all", "a", false, "all that no container was made from")
	return pruneCommand(a, f, cmd, warning, func(e *engine.Engine) (int64, error) { return a.pruneImages(e, f.filters, f.all) })
}

func (a *app) pruneImages(e *engine.Engine, filters engine.Filters, all bool) (int64, error) {
	removed, bytes, err := e.PruneImages(filters, all)
	a.printPruned("Images", removals(removed))
	return bytes, err
}

func removals(list []image.Removal) []string {
	var lines []string
	for _, r := range list {
		if r.Untagged != "" {
			lines = append(lines, "untagged: "+r.Untagged)
		} else {
			lines = append(lines, "deleted: "+r.Deleted.String())
		}
	}
	return lines
}

func newSystemPrune(a *app) *cobra.Command {
	f := &pruneFlags{}
	cmd := &cobra.Command{
		Short: "Remove containers and images that nobody needs",
		Long: `Remove the containers that do not run, and the images without a name; with -a all
images that no container was made from, with --volumes the volumes without a
name that no container has. Networks need no clearing up: a bridge goes with its
last container.`,
		Example: `  minictr system prune
  minictr system prune -af --volumes`,
	}
	cmd.Flags().BoolVarP(&f.all, "all", "a", false, "all images that no container was made from")
	cmd.Flags().BoolVar(&f.volumes, "volumes", false, "volumes without a name, too")
	return pruneCommand(a, f, cmd, f.systemWarning, func(e *engine.Engine) (int64, error) { return a.pruneSystem(cmd, e, f) })
}

func (f *pruneFlags) systemWarning() string {
	lines := []string{"This will remove:", "  - all stopped containers"}
	if f.volumes {
		lines = append(lines, "  - all anonymous volumes not used by at least one container")
	}
	if f.all {
		lines = append(lines, "  - all images without at least one container associated to them")
	} else {
		lines = append(lines, "  - all dangling images")
	}
	return strings.Join(lines, "\n") + "\n"
}

func (a *app) pruneSystem(cmd *cobra.Command, e *engine.Engine, f *pruneFlags) (int64, error) {
	if len(f.filters["until"]) > 0 && f.volumes {
		return 0, fmt.Errorf("the \"until\" filter is not supported with \"--volumes\"")
	}
	total, err := a.pruneContainers(cmd, e, f)
	if err != nil {
		return total, err
	}
	if f.volumes {
		removed, bytes, err := e.PruneVolumes(f.filters, false)
		a.printPruned("Volumes", removed)
		if total += bytes; err != nil {
			return total, err
		}
	}
	bytes, err := a.pruneImages(e, f.filters, f.all)
	return total + bytes, err
}
