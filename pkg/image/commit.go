package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/layer"
	"minictr/pkg/image/ocispec"
)

// CommitOptions describe the image that Commit makes.
type CommitOptions struct {
	Name    Name // zero: it has none
	Config  ocispec.ImageConfig
	Extras  Extras
	Author  string
	Message string
	Command string // what made the changes, for the history
}

// Commit makes an image of the image base and one layer more, a tar stream of
// changes. A layer without entries is left out: the history tells of it.
func (s *Store) Commit(ctx context.Context, base string, changes io.Reader, o CommitOptions) (*Image, error) {
	if err := o.Name.free(); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	from, err := s.Get(base)
	if err != nil {
		return nil, err
	}
	in, err := s.Begin()
	if err != nil {
		return nil, err
	}
	img, err := in.commitChanges(ctx, from, changes, o)
	if cerr := in.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return img, nil
}

func (in *Ingest) commitChanges(ctx context.Context, from *Image, changes io.Reader, o CommitOptions) (*Image, error) {
	var layers []Brought
	for _, l := range from.Layers {
		b, err := in.Layer(ctx, LayerSource{Promise: layer.Promise{Digest: l.Digest, DiffID: l.DiffID}})
		if err != nil {
			return nil, err
		}
		layers = append(layers, b)
	}
	added, err := in.Layer(ctx, LayerSource{Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(changes), nil }})
	if err != nil {
		return nil, err
	}
	record, err := added.Record()
	if err != nil {
		return nil, err
	}
	empty := record.Entries == 0
	if !empty {
		layers = append(layers, added)
	}
	config, err := marshalConfig(commitConfig(from.Config, layers, empty, o), o.Extras)
	if err != nil {
		return nil, err
	}
	var names []Name
	if !o.Name.IsZero() {
		names = []Name{o.Name}
	}
	if err := in.AddConfig(config, layers, names); err != nil {
		return nil, err
	}
	images, err := in.Commit()
	if err != nil {
		return nil, err
	}
	if len(images) == 0 {
		return nil, errors.New("the image is not in the index")
	}
	return images[0], nil
}

func commitConfig(from ocispec.Image, layers []Brought, empty bool, o CommitOptions) ocispec.Image {
	now := time.Now().UTC()
	config := from
	config.Created, config.Author, config.Config = &now, o.Author, o.Config
	config.RootFS = ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{}}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.DiffID)
	}
	config.History = append(append([]ocispec.History{}, from.History...), ocispec.History{
		Created: &now, CreatedBy: o.Command, Author: o.Author, Comment: o.Message, EmptyLayer: empty,
	})
	return config
}
