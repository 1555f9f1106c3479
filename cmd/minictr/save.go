package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"minictr/pkg/terminal"
)

func newSave(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "save [OPTIONS] IMAGE...",
		Short: "Write images to an archive",
		Long: `Write images to an archive, which 'minictr load', 'docker load', podman and skopeo
read: layers, configuration and names. A repository without a tag stands for all
of its tags. To carry a container's files without their history, see export.`,
		Example: `  minictr save -o images.tar web alpine
  minictr save web:1 | ssh other minictr load`,
		Args:              atLeast(1, "at least one image"),
		ValidArgsFunction: a.completeImages,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.save(cmd.Context(), args, output) },
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to a `file` and not to standard output")
	refuse(cmd.Flags(), "platform")
	return cmd
}

func (a *app) save(ctx context.Context, refs []string, output string) error {
	e, err := a.engine(ctx)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error { return e.SaveImages(ctx, w, refs) }
	if output != "" {
		return toFile(output, func(f *os.File) error { return write(f) })
	}
	if terminal.IsTerminal(os.Stdout) {
		return errors.New("cowardly refusing to save to a terminal. Use the -o flag or redirect")
	}
	return write(a.out)
}
