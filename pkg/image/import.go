package image

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/layer"
	"minictr/pkg/image/ocispec"
)

// ImportOptions say what a root file system alone does not.
type ImportOptions struct {
	Config   ocispec.ImageConfig // what to run, environment, working directory, …
	Extras   Extras
	Message  string           // for the history
	Platform ocispec.Platform // zero: this machine's
	// Created goes into the config and so into the ID; zero: now. With a fixed
	// time the same tarball always becomes the same image.
	Created time.Time
}

// Import makes an image of one layer from a root file system's tarball: plain,
// or compressed with gzip, zstd, bzip2 or xz. A zero name leaves it dangling.
func (s *Store) Import(ctx context.Context, r io.Reader, name Name, opts ImportOptions) (*Image, error) {
	if err := name.free(); err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	in, err := s.Begin()
	if err != nil {
		return nil, err
	}
	img, err := in.importTar(ctx, r, name, opts)
	if cerr := in.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("import root file system: %w", err)
	}
	return img, nil
}

func (in *Ingest) importTar(ctx context.Context, r io.Reader, name Name, opts ImportOptions) (*Image, error) {
	br := bufio.NewReaderSize(r, 128<<10)
	var stream io.ReadCloser = io.NopCloser(br)
	if kind := layer.Sniff(br); mediaType(kind) == "" { // then the blob is the tar inside
		var err error
		if stream, _, err = layer.Decompress(ctx, br); err != nil {
			return nil, err
		}
	}
	l, err := in.Layer(ctx, LayerSource{Open: func(context.Context) (io.ReadCloser, error) { return stream, nil }})
	if err != nil {
		return nil, err
	}
	if rec, err := l.Record(); err != nil {
		return nil, err
	} else if rec.Entries == 0 {
		return nil, errors.New("there is nothing in the tarball")
	}
	config, err := marshalConfig(importConfig(l.Layer, opts), opts.Extras)
	if err != nil {
		return nil, err
	}
	var names []Name
	if !name.IsZero() {
		names = []Name{name}
	}
	if err := in.AddConfig(config, []Brought{l}, names); err != nil {
		return nil, err
	}
	images, err := in.Commit()
	if err != nil {
		return nil, err
	}
	return images[0], nil
}

func importConfig(l Layer, opts ImportOptions) ocispec.Image {
	created := opts.Created.UTC()
	if opts.Created.IsZero() {
		created = time.Now().UTC()
	}
	if opts.Platform.OS == "" {
		opts.Platform = HostPlatform()
	}
	return ocispec.Image{
		Created:  &created,
		Platform: opts.Platform,
		Config:   opts.Config,
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{l.DiffID}},
		History:  []ocispec.History{{Created: &created, CreatedBy: "minictr import", Comment: opts.Message}},
	}
}

// mediaType names a layer's compression as manifests do; empty for those that
// no image may hold.
func mediaType(c layer.Compression) string {
	switch c {
	case layer.Plain:
		return ocispec.MediaTypeImageLayer
	case layer.Gzip:
		return ocispec.MediaTypeImageLayerGzip
	case layer.Zstd:
		return ocispec.MediaTypeImageLayerZstd
	default:
		return ""
	}
}

// AddConfig is Add for images that come without a manifest: it writes one.
func (in *Ingest) AddConfig(config []byte, layers []Brought, names []Name) error {
	m := ocispec.Manifest{
		Versioned: ocispec.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers:    []ocispec.Descriptor{},
	}
	for _, l := range layers {
		m.Layers = append(m.Layers, ocispec.Descriptor{MediaType: mediaType(l.Compression), Digest: l.Digest, Size: l.Size})
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return in.Add(raw, config, names, nil)
}
