package main

import (
	"errors"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/record"
)

func notFound(err error) bool {
	var missing *record.NotFoundError
	return errors.As(err, &missing)
}

func newInspect(a *app) *cobra.Command {
	return inspectCommand(a, "inspect [OPTIONS] NAME|ID...", "Show everything about containers, images or volumes, as JSON",
		`  minictr inspect web
  minictr inspect -f '{{.State.Pid}}' web`,
		func(e *engine.Engine, ref string) (any, error) {
			c, err := e.Inspect(ref)
			if !notFound(err) {
				return c, err
			}
			if img, ierr := e.InspectImage(ref); ierr == nil {
				return img, nil
			}
			if v, verr := e.InspectVolume(ref); verr == nil {
				return v, nil
			}
			return nil, errors.New("no such object: " + ref)
		})
}

func newContainerInspect(a *app) *cobra.Command {
	return inspectCommand(a, "inspect [OPTIONS] CONTAINER...", "Show everything about containers, as JSON",
		`  minictr container inspect web`,
		func(e *engine.Engine, ref string) (any, error) { return e.Inspect(ref) })
}

func newImageInspect(a *app) *cobra.Command {
	return inspectCommand(a, "inspect [OPTIONS] IMAGE...", "Show everything about images, as JSON",
		`  minictr image inspect alpine`,
		func(e *engine.Engine, ref string) (any, error) { return e.InspectImage(ref) })
}

func newVolumeInspect(a *app) *cobra.Command {
	return inspectCommand(a, "inspect [OPTIONS] VOLUME...", "Show everything about volumes, as JSON",
		`  minictr volume inspect data`,
		func(e *engine.Engine, ref string) (any, error) { return e.InspectVolume(ref) })
}

func inspectCommand(a *app, use, short, example string, find func(*engine.Engine, string) (any, error)) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example,
		Args: atLeast(1, "at least one name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			return a.inspect(args, format, func(ref string) (any, error) { return find(e, ref) })
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "json, or a Go `template` such as '{{.Id}}'")
	refuse(cmd.Flags(), "size! type")
	return cmd
}
