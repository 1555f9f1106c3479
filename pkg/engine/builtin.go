package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"minictr/pkg/engine/bundle"
	"minictr/pkg/image"
	"minictr/pkg/image/ocispec"
	"minictr/rootfs"
)

// standsFor are the images that the built-in one is like enough to stand in
// for, when their registry cannot be reached.
var standsFor = []string{"docker.io/library/alpine", "docker.io/library/busybox"}

// builtInName is what the built-in image is called. It never takes the name of
// the image it stands in for: that one is to be pulled once that is possible.
const builtInName = "minictr/base:latest"

// provenanceLabel tells which program's built-in image is in the store.
const provenanceLabel = "minictr.provenance"

func hasStandIn(name image.Name, want ocispec.Platform) bool {
	host := image.HostPlatform()
	return slices.Contains(standsFor, name.Repository()) && name.Digest == "" &&
		(want.OS == "" || want.OS == host.OS && want.Architecture == host.Architecture)
}

func (e *Engine) standIn(ctx context.Context, name image.Name, o ImageOptions) (*image.Image, error) {
	img, err := e.builtIn(ctx)
	if err != nil {
		return nil, fmt.Errorf("the built-in image cannot stand in: %w", err)
	}
	o.notice("%s cannot be reached: minictr's built-in image stands in for %s", name.Domain, name.Familiar())
	return img, nil
}

// builtIn finds the image that this program carries, or puts it into the
// store. Its time is fixed, so the same program always makes the same image.
func (e *Engine) builtIn(ctx context.Context) (*image.Image, error) {
	provenance, err := rootfs.Provenance()
	if err != nil {
		return nil, err
	}
	img, err := e.Images.Get(builtInName)
	if err == nil && img.Config.Config.Labels[provenanceLabel] == provenance {
		return img, nil
	}
	tarball, err := rootfs.Tarball()
	if err != nil {
		return nil, err
	}
	name, err := image.ParseName(builtInName)
	if err != nil {
		return nil, err
	}
	return e.Images.Import(ctx, bytes.NewReader(tarball), name, image.ImportOptions{
		Config: ocispec.ImageConfig{
			Cmd:    []string{"/bin/sh"},
			Env:    []string{"PATH=" + bundle.DefaultPath},
			Labels: map[string]string{provenanceLabel: provenance},
		},
		Message: "minictr's built-in base image",
		Created: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
	})
}

// unreachableFor is how long a registry that could not be reached is not asked
// again by those who have a stand-in: finding out takes seconds, and whoever
// works without a network would wait them out at every run. Pulling asks
// always.
const unreachableFor = 5 * time.Minute

func (e *Engine) unreachable(domain string) string {
	return filepath.Join(e.Dirs.Run, "unreachable", filepath.Base(domain))
}

func (e *Engine) lately(domain string) bool {
	info, err := os.Stat(e.unreachable(domain))
	return err == nil && time.Since(info.ModTime()) < unreachableFor
}

// noteUnreachable only saves time; that it cannot be noted is no error.
func (e *Engine) noteUnreachable(domain string) {
	path := e.unreachable(domain)
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	_ = os.WriteFile(path, nil, 0o600)
}
