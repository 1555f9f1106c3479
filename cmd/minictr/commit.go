package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/image"
	"minictr/pkg/terminal"
)

func newDiff(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff CONTAINER",
		Short: "List what a container has changed in its files",
		Long: `List what a container has changed in its files: A for added, C for changed, D for
deleted. It is what lies in the container's upper directory; the image's layers
below it have not been touched. Volumes are no part of it.`,
		Example:           `  minictr diff web`,
		Args:              exactly(1, "one container"),
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
			changes, err := e.Changes(c)
			for _, ch := range changes {
				fmt.Fprintln(a.out, ch)
			}
			return err
		},
	}
}

func newExport(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "export [OPTIONS] CONTAINER",
		Short: "Write all files of a container to a tar archive",
		Long: `Write all files of a container to a tar archive: image and changes in one. What
is mounted into it, as volumes are, is left out. 'minictr import' makes an image
of it.`,
		Example: `  minictr export -o web.tar web
  minictr export web | minictr import - web:flat`,
		Args:              exactly(1, "one container"),
		ValidArgsFunction: completeFirst(a.completeAny),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			if output == "" && terminal.IsTerminal(os.Stdout) {
				return errors.New("cowardly refusing to save to a terminal. Use the -o flag or redirect")
			}
			c, err := e.Get(args[0])
			if err != nil || output == "" {
				if err == nil {
					err = e.Export(cmd.Context(), c, a.out)
				}
				return err
			}
			return toFile(output, func(f *os.File) error { return e.Export(cmd.Context(), c, f) })
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to a `file` and not to standard output")
	return cmd
}

// toFile has a file written whole or not at all. What is no regular file, such
// as /dev/null, a pipe or a link, is written to and never replaced: it is
// somebody else's, and often the whole machine's.
func toFile(path string, write func(*os.File) error) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	temporary := path + ".partial"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary)
	}
	return err
}

func newCommit(a *app) *cobra.Command {
	o := engine.CommitOptions{}
	var noPause bool
	cmd := &cobra.Command{
		Use:   "commit [OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
		Short: "Make an image of what a container has changed",
		Long: `Make an image of a container: its image's layers, and one more with what the
container has changed. It is kept still while it is read. Volumes are no part
of it.`,
		Example: `  minictr commit web web:patched
  minictr commit -c 'CMD ["nginx"]' -m "with our settings" web`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return exactly(2, "a container and perhaps a name")(cmd, args)
			}
			return nil
		},
		ValidArgsFunction: completeFirst(a.completeAny),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Pause = o.Pause && !noPause
			return a.commit(cmd, args, o)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&o.Author, "author", "a", "", "who made it: a `name`")
	fs.StringVarP(&o.Message, "message", "m", "", "a `text` for the image's history")
	fs.StringArrayVarP(&o.Change, "change", "c", nil, "an `instruction` as in a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, …")
	fs.BoolVarP(&o.Pause, "pause", "p", true, "keep the container still meanwhile")
	fs.BoolVar(&noPause, "no-pause", false, "let the container go on meanwhile")
	return cmd
}

func (a *app) commit(cmd *cobra.Command, args []string, o engine.CommitOptions) error {
	if len(args) == 2 {
		name, err := image.ParseName(args[1])
		if err != nil {
			return err
		}
		o.Name = name
	}
	e, err := a.engine(cmd.Context())
	if err != nil {
		return err
	}
	c, err := e.Get(args[0])
	if err != nil {
		return err
	}
	img, err := e.Commit(cmd.Context(), c, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out, img.ID)
	return nil
}
