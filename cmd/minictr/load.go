package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"minictr/pkg/image"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/terminal"
)

func newImport(a *app) *cobra.Command {
	var opts image.ImportOptions
	var settings image.Settings
	cmd := &cobra.Command{
		Use:   "import [OPTIONS] FILE|- [REPOSITORY[:TAG]]",
		Short: "Make an image of a root file system's tarball",
		Long: `Make an image of one layer from a tarball of a root file system, plain or
compressed with gzip, zstd, bzip2 or xz. Distributions publish such tarballs.`,
		Example: `  minictr import alpine-minirootfs-3.20.3-x86_64.tar.gz alpine:3.20
  tar -C rootfs -c . | minictr import -c 'CMD ["/bin/sh"]' - mine`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return exactly(2, "a tarball and perhaps a name")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Config, opts.Extras = settings.ImageConfig, settings.Extras
			return a.importImage(cmd, args, opts)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&opts.Message, "message", "m", "", "a `text` for the image's history")
	add(fs, "change,c", "instruction", "CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR, as in a Dockerfile", settings.Change)
	flag(fs, &opts.Platform, "platform", "OS/ARCH", "the platform it is for", image.ParsePlatform)
	return cmd
}

func (a *app) importImage(cmd *cobra.Command, args []string, opts image.ImportOptions) error {
	var name image.Name
	var err error
	if len(args) == 2 {
		if name, err = image.ParseName(args[1]); err != nil {
			return err
		}
	}
	if strings.Contains(args[0], "://") {
		return errors.New("import from a URL is not supported yet: pipe it in, curl URL | minictr import - NAME")
	}
	if opts.Message == "" {
		opts.Message = "Imported from -" // docker's words: its engine never learns the file's name
	}
	e, err := a.engine(cmd.Context())
	if err != nil {
		return err
	}
	f, err := source(args[0])
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer f.Close()
	img, err := e.ImportImage(cmd.Context(), f, name, opts)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.out, img.ID)
	return nil
}

func newLoad(a *app) *cobra.Command {
	var input string
	var quiet bool
	var platform ocispec.Platform
	cmd := &cobra.Command{
		Use:   "load [OPTIONS]",
		Short: "Bring in images from an archive",
		Long: `Bring in the images of an archive, as 'docker save', 'podman save', skopeo or
buildah write it: docker's format or an OCI layout, compressed or not.`,
		Example: `  docker save nginx | minictr load
  minictr load -i images.tar`,
		Args: exactly(0, "no arguments (the archive is named by -i)"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.load(cmd, input, platform)
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&input, "input", "i", "", "read this `file` and not standard input")
	fs.BoolVarP(&quiet, "quiet", "q", false, "the same as without (no progress is shown)")
	flag(fs, &platform, "platform", "OS/ARCH", "of images for several platforms, take this one", image.ParsePlatform)
	return cmd
}

func (a *app) load(cmd *cobra.Command, input string, platform ocispec.Platform) error {
	e, err := a.engine(cmd.Context())
	if err != nil {
		return err
	}
	f, err := source(input)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	defer f.Close()
	if input == "" && terminal.IsTerminal(f) {
		return errors.New("an archive is expected on standard input, which is a terminal: use -i FILE, or a pipe")
	}
	images, err := e.LoadImages(cmd.Context(), f, platform)
	if err != nil {
		return err
	}
	for _, img := range images {
		if len(img.Names) == 0 {
			fmt.Fprintln(a.out, "Loaded image ID:", img.ID)
		}
		for _, n := range img.Names {
			fmt.Fprintln(a.out, "Loaded image:", n.Familiar())
		}
	}
	return nil
}
