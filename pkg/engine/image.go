package engine

import (
	"context"
	"errors"
	"fmt"
	"os"

	"minictr/pkg/image"
	"minictr/pkg/image/layer"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/image/transfer"
)

// PullPolicy says when a registry is asked for an image.
type PullPolicy string

// The policies, docker's.
const (
	PullMissing PullPolicy = "missing" // when it is not here; the default
	PullAlways  PullPolicy = "always"
	PullNever   PullPolicy = "never"
)

// ParsePullPolicy reads the value of --pull.
func ParsePullPolicy(s string) (PullPolicy, error) {
	switch p := PullPolicy(s); p {
	case PullMissing, PullAlways, PullNever:
		return p, nil
	}
	return "", fmt.Errorf("invalid --pull %q: want missing, always or never", s)
}

// ImageOptions say how an image is to be had.
type ImageOptions struct {
	Pull     PullPolicy // "": PullMissing
	Platform ocispec.Platform
	Progress func(transfer.Event)
	// Notice is told, in one line, what the user should know.
	Notice func(string)
}

func (o ImageOptions) notice(format string, args ...any) {
	if o.Notice != nil {
		o.Notice(fmt.Sprintf(format, args...))
	}
}

// hold finds the image ref, pulls it if the policy says so, and keeps it from
// being removed until release.
func (e *Engine) hold(ctx context.Context, ref string, o ImageOptions) (img *image.Image, release func(), err error) {
	if o.Pull != PullAlways {
		img, release, err = e.Images.Hold(ref)
		if err == nil && !suits(img, o.Platform) {
			release()
			err = fmt.Errorf("%w: the image here is for another platform than %s", image.ErrNotFound, image.FormatPlatform(o.Platform))
		}
		if !errors.Is(err, image.ErrNotFound) || o.Pull == PullNever {
			return img, release, err
		}
	}
	if img, err = e.fetch(ctx, ref, o); err != nil {
		return nil, nil, err
	}
	return e.Images.Hold(img.ID.String())
}

func suits(img *image.Image, want ocispec.Platform) bool {
	if want.OS == "" {
		return true
	}
	_, err := image.SelectPlatform([]ocispec.Descriptor{{Platform: &img.Config.Platform}}, want)
	return err == nil
}

// fetch pulls ref, or has the built-in image stand in where that is allowed.
func (e *Engine) fetch(ctx context.Context, ref string, o ImageOptions) (*image.Image, error) {
	name, err := image.ParseName(ref)
	if err != nil {
		return nil, err
	}
	standIn := o.Pull != PullAlways && hasStandIn(name, o.Platform)
	if standIn && e.lately(name.Domain) {
		return e.standIn(ctx, name, o)
	}
	told, progress := o.Pull == PullAlways, o.Progress
	o.Progress = func(ev transfer.Event) { // the registry has answered
		if !told {
			o.notice("Unable to find image '%s' locally", name.Familiar())
			told = true
		}
		if progress != nil {
			progress(ev)
		}
	}
	img, err := e.Pull(ctx, name, o)
	if !errors.Is(err, image.ErrUnreachable) || !standIn {
		return img, err
	}
	img, serr := e.standIn(ctx, name, o)
	if serr != nil {
		return nil, fmt.Errorf("%w (and %v)", err, serr)
	}
	e.noteUnreachable(name.Domain)
	return img, nil
}

// Pull fetches an image from its registry.
func (e *Engine) Pull(ctx context.Context, name image.Name, o ImageOptions) (*image.Image, error) {
	img, err := e.pull(ctx, name, transfer.Options{Platform: o.Platform, Progress: o.Progress})
	if err == nil {
		_ = os.Remove(e.unreachable(name.Domain))
		e.tellNamed(img, "pull", name.Familiar())
	}
	return img, err
}

func init() {
	layer.Register(layer.Zstd, layer.Through(func() (string, error) { return programPath(registryName) }, "decompress"))
}

// fromRegistry has the program fetch an image that speaks to registries. Without
// that program nobody can be reached.
func (e *Engine) fromRegistry(ctx context.Context, name image.Name, o transfer.Options) (*image.Image, error) {
	program, err := programPath(registryName)
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w: %w", name.Familiar(), image.ErrUnreachable, err)
	}
	return transfer.Pull(ctx, program, e.Dirs.Root, name, o)
}
