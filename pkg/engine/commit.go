package engine

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"minictr/pkg/engine/archive"
	"minictr/pkg/engine/merged"
	"minictr/pkg/image"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/record"
)

// Changes lists what a container has changed in its image's files. What it has
// written to volumes is none of that.
func (e *Engine) Changes(c *Container) ([]merged.Change, error) {
	return merged.Changes(filepath.Join(e.Dirs.Container(c.ID), upperDir), c.Layers...)
}

// Export writes a container's whole root file system to w as a tar stream,
// without what is mounted into it.
func (e *Engine) Export(ctx context.Context, c *Container, w io.Writer) error {
	view, err := merged.Open(append([]string{filepath.Join(e.Dirs.Container(c.ID), upperDir)}, c.Layers...)...)
	if err != nil {
		return err
	}
	defer func() { _ = view.Close() }()
	out := archive.NewWriter(ctx, w)
	if err := view.Export(out); err != nil {
		return err
	}
	e.tell(c, "export", nil)
	return out.Close()
}

// CommitOptions describe the image that a container becomes.
type CommitOptions struct {
	Name    image.Name // zero: none
	Author  string
	Message string
	Change  []string // instructions of a Dockerfile
	Pause   bool     // keep the container still meanwhile
}

// Commit makes an image of a container: its image, and as one layer more what
// it has changed.
func (e *Engine) Commit(ctx context.Context, c *Container, o CommitOptions) (*image.Image, error) {
	config, err := c.committed(o)
	if err != nil {
		return nil, err
	}
	if o.Pause && c.State.Status == record.Running { // what is being read does not change under our eyes
		if err := e.Pause(ctx, c); err != nil {
			return nil, err
		}
		defer func() { _ = e.Unpause(context.WithoutCancel(ctx), c) }()
	}
	changes, err := e.Changes(c)
	if err != nil {
		return nil, err
	}
	view, err := merged.Open(filepath.Join(e.Dirs.Container(c.ID), upperDir))
	if err != nil {
		return nil, err
	}
	defer func() { _ = view.Close() }()
	r, w := io.Pipe()
	go func() { // ends when the layer is written, or nobody reads it
		out := archive.NewWriter(ctx, w)
		err := view.ExportChanges(out, changes)
		if err == nil {
			err = out.Close()
		}
		_ = w.CloseWithError(err)
	}()
	defer r.Close()
	img, err := e.Images.Commit(ctx, c.Image.ID, r, image.CommitOptions{
		Name: o.Name, Config: config.ImageConfig, Extras: config.Extras, Author: o.Author, Message: o.Message, Command: strings.Join(c.Args, " "),
	})
	if err == nil {
		if !o.Name.IsZero() {
			e.tellNamed(img, "tag", o.Name.Familiar())
		}
		e.tell(c, "commit", map[string]string{"comment": o.Message, "imageID": img.ID.String(), "imageRef": o.Name.Familiar()})
	}
	return img, err
}

// committed is the configuration of the image: the container's, with changes.
func (c *Container) committed(o CommitOptions) (image.Settings, error) {
	i := c.config()
	config := image.Settings{ImageConfig: ocispec.ImageConfig{
		User: i.User, ExposedPorts: i.ExposedPorts, Env: i.Env, Entrypoint: i.Entrypoint, Cmd: i.Cmd, Volumes: i.Volumes,
		WorkingDir: i.WorkingDir, Labels: i.Labels, StopSignal: i.StopSignal,
	}}
	if c.Health != nil {
		h := image.Health(*c.Health)
		config.Health = &h
	}
	if len(config.ExposedPorts) == 0 {
		config.ExposedPorts = nil
	}
	for _, instruction := range o.Change {
		if err := config.Change(instruction); err != nil {
			return config, fmt.Errorf("commit container %s: %w", c.Name, err)
		}
	}
	return config, nil
}
