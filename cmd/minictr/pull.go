package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/image"
	"minictr/pkg/image/ocispec"
)

func newPull(a *app) *cobra.Command {
	var quiet bool
	var platform ocispec.Platform
	cmd := &cobra.Command{
		Use:   "pull [OPTIONS] NAME[:TAG|@DIGEST]",
		Short: "Fetch an image from a registry",
		Long: `Fetch an image from a registry and unpack its layers.

A name without a host is Docker Hub's: alpine is docker.io/library/alpine:latest.
Of an image for several platforms the one for this machine is taken. Every byte
is checked against its digest. For private registries docker's credential files
are used (~/.docker/config.json).`,
		Example: `  minictr pull alpine
  minictr pull quay.io/org/app:1.2
  minictr pull alpine@sha256:1e42bbe2508154c9126d48c2b8a75420c3544343bf86fd041fb7527e017a4b4a`,
		Args: exactly(1, "the name of an image"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.pull(cmd, args[0], platform, quiet) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&quiet, "quiet", "q", false, "do not show the progress")
	flag(fs, &platform, "platform", "OS/ARCH", "an image for this platform", image.ParsePlatform)
	refuse(fs, "all-tags! disable-content-trust!")
	return cmd
}

func (a *app) pull(cmd *cobra.Command, ref string, platform ocispec.Platform, quiet bool) error {
	name, err := image.ParseName(ref)
	if err != nil {
		return err
	}
	e, err := a.engine(cmd.Context())
	if err != nil {
		return err
	}
	if !quiet && name.Tag == image.DefaultTag && name.Digest == "" && ref != name.Familiar() && ref != name.String() {
		fmt.Fprintln(a.out, "Using default tag: latest")
	}
	show := a.progress(a.out, quiet)
	img, err := e.Pull(cmd.Context(), name, engine.ImageOptions{Platform: platform, Progress: show.event})
	show.close()
	if err != nil {
		return err
	}
	if !quiet {
		fmt.Fprintln(a.out, "Digest:", pulledDigest(img, name))
	}
	fmt.Fprintln(a.out, name.String())
	return nil
}

// pulledDigest is the digest by which the registry knows what was pulled.
func pulledDigest(img *image.Image, name image.Name) string {
	prefix := name.Repository() + "@"
	for _, d := range img.RepoDigests {
		if len(d) > len(prefix) && d[:len(prefix)] == prefix {
			return d[len(prefix):]
		}
	}
	return img.Descriptor.Digest.String()
}

// imageOptions are how run and create get their image.
func (a *app) imageOptions(c *containerFlags) (engine.ImageOptions, func()) {
	show := a.progress(a.err, c.quiet)
	o := engine.ImageOptions{Pull: c.pull, Platform: c.platform, Progress: show.event}
	o.Notice = a.notice
	if c.quiet {
		o.Notice = nil
	}
	return o, show.close
}
