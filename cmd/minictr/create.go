package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
)

func newCreate(a *app) *cobra.Command {
	var f containerFlags
	cmd := &cobra.Command{
		Use:   "create [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "Make a container without running it",
		Long: `Make a container without running it, and print its ID. 'minictr start' runs it.
A container that does not run is a record and an empty directory: no process,
no mount, no address.`,
		Example: `  minictr create --name job alpine sleep 60
  minictr start -a job`,
		Args:              atLeast(1, "an image"),
		ValidArgsFunction: completeFirst(a.completeImages),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, c, err := a.create(cmd.Context(), cmd, args, &f)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, c.ID)
			return nil
		},
	}
	f.add(cmd.Flags())
	return cmd
}

// claimCidFile makes the --cidfile, which must not be there: another
// container's ID may be in it.
func (c *containerFlags) claimCidFile() error {
	if c.cidFile == "" {
		return nil
	}
	f, err := os.OpenFile(c.cidFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		path := c.cidFile
		c.cidFile = "" // not ours to remove
		return fmt.Errorf("--cidfile %s: the file is there already; remove it, or name another", path)
	}
	if err != nil {
		return fmt.Errorf("--cidfile: %w", err)
	}
	return f.Close()
}

func (c *containerFlags) writeCidFile(id string) error {
	if c.cidFile == "" {
		return nil
	}
	if err := os.WriteFile(c.cidFile, []byte(id), 0o644); err != nil {
		return fmt.Errorf("--cidfile: %w", err)
	}
	return nil
}

func (c *containerFlags) removeCidFile() {
	if c.cidFile != "" {
		_ = os.Remove(c.cidFile)
	}
}
