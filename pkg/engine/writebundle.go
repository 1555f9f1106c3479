package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/engine/bundle"
	"minictr/pkg/engine/config"
	"minictr/pkg/engine/merged"
)

// ErrBundleExists: a bundle that is already there may be somebody's work.
var ErrBundleExists = errors.New("config.json exists")

// WriteBundle writes into dir what a container would be made of, as an OCI
// bundle: config.json, rootfs with a copy of the image's files, and the three
// files that are bound over the image's own. Any OCI runtime runs it; nothing
// of it is known to the engine afterwards. On failure nothing of it is left.
//
// A bundle is not connected to any network of an engine's and has no volumes
// but directories of the host; who wants others is told so.
func (e *Engine) WriteBundle(ctx context.Context, cfg config.Config, dir string, o ImageOptions) (err error) {
	if cfg.Mode == "" {
		cfg.Mode = "none"
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	if err := selfContained(&cfg); err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	img, release, err := e.hold(ctx, cfg.Image, o)
	if err != nil {
		return err
	}
	defer release()
	c := &Container{Record: Record{ID: newID(), Config: cfg, Mounts: cfg.Mounts, Layers: img.LowerDirs()}}
	c.Image = Image{ID: img.ID.String(), Name: imageName(cfg.Image, img), Config: img.Config.Config}
	if err := checkSources(c.Mounts); err != nil {
		return err
	}
	undo, err := makeBundleDir(dir)
	if err != nil {
		return err
	}
	if err := e.fillBundle(c, dir); err != nil {
		return errors.Join(err, undo())
	}
	return nil
}

// selfContained refuses what only an engine can give a container.
func selfContained(c *config.Config) error {
	if c.Mode != "none" && c.Mode != "host" {
		return fmt.Errorf("--network %s: a bundle has no engine to connect it: want none or host", c.Mode)
	}
	if c.Namespaces.User != "" && c.Namespaces.User != "host" {
		return fmt.Errorf("--userns %s: a bundle's files would need the owners that only an engine can give them", c.Namespaces.User)
	}
	for _, ns := range []string{c.Namespaces.PID, c.Namespaces.IPC} {
		if strings.HasPrefix(ns, "container:") {
			return fmt.Errorf("%s: a bundle outlives the container whose namespace it would name", ns)
		}
	}
	for _, m := range c.Mounts {
		if m.Type == config.Volume {
			return fmt.Errorf("a volume at %s: a bundle has no engine to keep volumes: name a directory of the host", m.Target)
		}
	}
	if len(subpaths(c.Mounts)) > 0 {
		return errors.New("a part of a volume (volume-subpath) cannot be named in a bundle: name a directory of the host")
	}
	return nil
}

// makeBundleDir makes the directory, and rootfs in it. undo removes what was
// made, and all that has been put there since.
func makeBundleDir(dir string) (undo func() error, err error) {
	config := filepath.Join(dir, "config.json")
	if _, err := os.Lstat(config); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("%w in %s: remove it first, or name another directory", ErrBundleExists, dir), err)
	}
	_, missing := os.Lstat(dir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the bundle: %w", err)
	}
	root := filepath.Join(dir, rootDir)
	undo = func() error {
		if missing != nil {
			return os.RemoveAll(dir)
		}
		errs := []error{os.RemoveAll(root)}
		for _, name := range []string{hostsFile, nameFile, dnsFile, "init"} {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
		}
		return errors.Join(errs...)
	}
	if err := os.Mkdir(root, 0o755); err != nil {
		return nil, fmt.Errorf("make the bundle: %w", err)
	}
	return undo, nil
}

func (e *Engine) fillBundle(c *Container, dir string) error {
	for _, m := range c.Mounts {
		if m.CreateSource {
			if err := makeSource(m.Source); err != nil {
				return err
			}
		}
	}
	spec, err := e.bundleSpec(c, dir)
	if err != nil {
		return err
	}
	if err := copyRoot(c, filepath.Join(dir, rootDir)); err != nil {
		return err
	}
	text, err := json.MarshalIndent(spec, "", "\t")
	if err != nil {
		return fmt.Errorf("encode the configuration: %w", err)
	}
	// Last: a directory without it is no bundle.
	if err := os.WriteFile(filepath.Join(dir, "config.json"), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

// bundleSpec is the configuration of a container that no engine looks after:
// its cgroup is where its runtime puts it.
func (e *Engine) bundleSpec(c *Container, dir string) (*specs.Spec, error) {
	net, err := e.joinNetwork(c)
	if err != nil {
		return nil, err
	}
	files, err := net.files(c, dir)
	if err != nil {
		return nil, err
	}
	in, err := e.input(c, net, files)
	if err != nil {
		return nil, err
	}
	if c.Config.CgroupParent == "" {
		in.CgroupsPath = ""
	}
	spec, err := bundle.Spec(in)
	if err != nil {
		return nil, err
	}
	if c.Config.Init {
		if err := withReaper(spec, dir); err != nil {
			return nil, err
		}
	}
	spec.Version = portableVersion(spec)
	spec.Linux.Resources, _, err = fit(spec.Linux.Resources)
	return spec, err
}

// portableVersion is the oldest version of the specification that has all that
// is in the configuration: crun before 1.9 takes no newer one than 1.0.
func portableVersion(s *specs.Spec) string {
	if s.Domainname != "" {
		return "1.1.0"
	}
	return "1.0.2"
}

// copyRoot lays out the image's layers as the one tree that overlayfs would
// show.
func copyRoot(c *Container, root string) error {
	if len(c.Layers) == 0 {
		return nil
	}
	view, err := merged.Open(c.Layers...)
	if err != nil {
		return err
	}
	defer func() { _ = view.Close() }()
	_, err = view.CopyDir("/", root)
	return err
}
