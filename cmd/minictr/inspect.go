package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/engine/templates"
	"minictr/pkg/image"
	"minictr/pkg/record"
	"minictr/pkg/volume"
)

func notFound(err error) bool {
	var missing *record.NotFoundError
	return errors.As(err, &missing)
}

func newInspect(a *app) *cobra.Command {
	var kind string
	cmd := inspectCommand(a, "inspect [OPTIONS] NAME|ID...", "Show everything about containers, images or volumes, as JSON",
		`  minictr inspect web
  minictr inspect -f '{{.State.Pid}}' web
  minictr inspect --type image alpine`,
		func(e *engine.Engine, ref string, size bool) (any, error) { return inspectAny(e, kind, ref, size) })
	fs := cmd.Flags()
	add(fs, "type", "kind", "container, image or volume", func(s string) error {
		kind = s
		return only("container", "image", "volume")(s)
	})
	return cmd
}

// noObjectError is a name that nothing has.
type noObjectError string

func (e noObjectError) Error() string { return fmt.Sprintf("No such object: %s", string(e)) }

// inspectAny looks for a container of that name, then an image, then a volume.
func inspectAny(e *engine.Engine, kind, ref string, size bool) (any, error) {
	if kind == "" || kind == "container" {
		if c, err := inspectContainer(e, ref, size); kind != "" || !notFound(err) {
			return c, err
		}
	}
	if kind == "" || kind == "image" {
		if img, err := e.InspectImage(ref); kind != "" || !errors.Is(err, image.ErrNotFound) && !errors.Is(err, image.ErrName) {
			return img, err
		}
	}
	v, err := e.InspectVolume(ref)
	if kind == "" && errors.Is(err, volume.ErrNotFound) {
		err = noObjectError(ref)
	}
	return v, err
}

// inspectContainer measures what a container has written only if it is asked to:
// that means to look at every file.
func inspectContainer(e *engine.Engine, ref string, size bool) (any, error) {
	i, err := e.Inspect(ref)
	if err != nil || !size {
		return i, err
	}
	c, err := e.Get(i.ID)
	if err != nil {
		return i, err
	}
	written, root, err := e.Size(c)
	i.SizeRw, i.SizeRootFs = &written, &root
	return i, err
}

func newContainerInspect(a *app) *cobra.Command {
	return inspectCommand(a, "inspect [OPTIONS] CONTAINER...", "Show everything about containers, as JSON",
		`  minictr container inspect web`,
		inspectContainer)
}

func newImageInspect(a *app) *cobra.Command {
	return inspectCommand(a, "inspect [OPTIONS] IMAGE...", "Show everything about images, as JSON",
		`  minictr image inspect alpine`,
		func(e *engine.Engine, ref string, _ bool) (any, error) { return e.InspectImage(ref) })
}

func newVolumeInspect(a *app) *cobra.Command {
	return inspectCommand(a, "inspect [OPTIONS] VOLUME...", "Show everything about volumes, as JSON",
		`  minictr volume inspect data`,
		func(e *engine.Engine, ref string, _ bool) (any, error) { return e.InspectVolume(ref) })
}

func inspectCommand(a *app, use, short, example string, find func(*engine.Engine, string, bool) (any, error)) *cobra.Command {
	var format string
	var size bool
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example,
		Args: atLeast(1, "at least one name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			return a.inspect(args, format, func(ref string) (any, error) { return find(e, ref, size) })
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "json, or a Go `template` such as '{{.Id}}'")
	cmd.Flags().BoolVarP(&size, "size", "s", false, "also how much a container has written (SizeRw, SizeRootFs)")
	return cmd
}

// inspect prints what is found. What is missing is told, and the rest is printed
// all the same.
func (a *app) inspect(refs []string, format string, find func(string) (any, error)) error {
	var found []any
	failed := false
	for _, ref := range refs {
		v, err := find(ref)
		if err != nil {
			a.complain(nil, err)
			failed = true
			continue
		}
		found = append(found, v)
	}
	if err := a.printFound(found, format); err != nil {
		return err
	}
	if failed {
		return exit(codeClient)
	}
	return nil
}

// printFound prints a JSON array, in one line for the format json, or each by a
// template.
func (a *app) printFound(found []any, format string) error {
	if found == nil {
		found = []any{}
	}
	switch format {
	case "":
		b, err := json.MarshalIndent(found, "", "    ")
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s\n", b)
	case "json":
		text, err := templates.JSON(found)
		if err != nil {
			return err
		}
		fmt.Fprintln(a.out, text)
	default:
		return formatted(a.out, format, nil, found)
	}
	return nil
}
