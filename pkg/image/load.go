package image

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/layer"
	"minictr/pkg/image/ocispec"
)

// Media types of multi-platform indexes: OCI's, and docker's older one.
const (
	mediaTypeIndex      = ocispec.MediaTypeImageIndex
	mediaTypeDockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// IsIndex tells an index of manifests from a manifest by its media type.
func IsIndex(mediaType string) bool {
	return mediaType == mediaTypeIndex || mediaType == mediaTypeDockerList
}

// Load brings in the images of an archive: what `docker save`, `podman save`,
// skopeo or buildah write, compressed or not. Either all its images come in or
// none. Of an image for several platforms the given one is taken (zero: this
// machine's).
func (s *Store) Load(ctx context.Context, r io.Reader, platform ocispec.Platform) ([]*Image, error) {
	if platform.OS == "" {
		platform = HostPlatform()
	}
	in, err := s.Begin()
	if err != nil {
		return nil, err
	}
	images, err := in.load(ctx, r, platform)
	if cerr := in.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("load images: %w", err)
	}
	return images, nil
}

func (in *Ingest) load(ctx context.Context, r io.Reader, platform ocispec.Platform) (images []*Image, err error) {
	w, err := openWorkspace(ctx, filepath.Join(in.s.layers, "load-"+strings.ToLower(rand.Text())+partialSuffix))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	a, err := spool(ctx, r, w.dir)
	if err != nil {
		return nil, err
	}
	switch {
	case a.has(ocispec.ImageIndexFile) && a.has(ocispec.ImageLayoutFile):
		err = in.loadOCI(ctx, a, platform)
	case a.has("manifest.json"):
		err = in.loadDocker(ctx, a)
	default:
		err = errors.New("this is neither an OCI archive (oci-layout, index.json) nor a docker archive (manifest.json); " +
			"a root file system is brought in by import")
	}
	if err != nil {
		return nil, err
	}
	if images, err = in.Commit(); err != nil {
		return nil, err
	}
	for i, st := range in.staged { // the store may know an image by more names than the archive does
		images[i].Names = st.entry.names
	}
	return images, nil
}

// dockerImage is one image in a docker archive's manifest.json.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func (in *Ingest) loadDocker(ctx context.Context, a *archive) error {
	var list []dockerImage
	if err := a.decode("manifest.json", &list); err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("the archive holds no image")
	}
	for _, d := range list {
		if err := in.loadDockerImage(ctx, a, d); err != nil {
			return fmt.Errorf("image %s: %w", strings.Join(append(d.RepoTags, d.Config), " "), err)
		}
	}
	return nil
}

func (in *Ingest) loadDockerImage(ctx context.Context, a *archive, d dockerImage) error {
	names, err := parseNames(d.RepoTags)
	if err != nil {
		return err
	}
	raw, err := a.read(d.Config)
	if err != nil {
		return err
	}
	// The file is named for its digest, with or without .json.
	if hex := strings.TrimSuffix(path.Base(d.Config), ".json"); len(hex) == 64 && isHex(hex) {
		if err := layer.Verify("config", digest.NewDigestFromEncoded(digest.SHA256, hex), digest.FromBytes(raw)); err != nil {
			return err
		}
	}
	var config ocispec.Image
	if err := json.Unmarshal(raw, &config); err != nil {
		return fmt.Errorf("read config: %w", err)
	}
	diffIDs := config.RootFS.DiffIDs
	if len(diffIDs) != len(d.Layers) {
		return fmt.Errorf("%d layers in the archive, %d in the config", len(d.Layers), len(diffIDs))
	}
	var layers []Brought
	for i, name := range d.Layers {
		if err := diffIDs[i].Validate(); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
		l, err := in.Layer(ctx, a.source(name, layer.Promise{DiffID: diffIDs[i]}))
		if err == nil && mediaType(l.Compression) == "" {
			err = fmt.Errorf("layer %d is compressed with %s, which images may not use", i, l.Compression)
		}
		if err != nil {
			return err
		}
		layers = append(layers, l)
	}
	return in.AddConfig(raw, layers, names)
}

func parseNames(list []string) ([]Name, error) {
	var names []Name
	for _, s := range list {
		n, err := ParseName(s)
		if err == nil && n.Digest != "" {
			err = fmt.Errorf("%w %q: an image cannot be named by digest", ErrName, s)
		}
		if err != nil {
			return nil, err
		}
		names = append(names, n)
	}
	return names, nil
}

func (in *Ingest) loadOCI(ctx context.Context, a *archive, platform ocispec.Platform) error {
	var index ocispec.Index
	if err := a.decode(ocispec.ImageIndexFile, &index); err != nil {
		return err
	}
	chosen, err := choose(index.Manifests, platform)
	if err != nil {
		return err
	}
	if len(chosen) == 0 {
		return errors.New("the archive holds no image")
	}
	for _, d := range chosen {
		var names []Name
		if name, ok := nameOf(d); ok {
			names = []Name{name}
		}
		if err := in.loadManifest(ctx, a, d, names, platform); err != nil {
			return fmt.Errorf("image %s: %w", d.Digest, err)
		}
	}
	return nil
}

// choose leaves one descriptor for each name: some writers list an image's
// platforms side by side under one name instead of in an index of their own.
func choose(list []ocispec.Descriptor, platform ocispec.Platform) ([]ocispec.Descriptor, error) {
	var chosen []ocispec.Descriptor
	byName := map[Name][]ocispec.Descriptor{}
	var order []Name
	for _, d := range list {
		name, ok := nameOf(d)
		if !ok {
			if d.Platform == nil || len(list) == 1 || rank(platform, *d.Platform) > 0 {
				chosen = append(chosen, d)
			}
			continue
		}
		if byName[name] == nil {
			order = append(order, name)
		}
		byName[name] = append(byName[name], d)
	}
	for _, name := range order {
		d := byName[name][0]
		if len(byName[name]) > 1 {
			var err error
			if d, err = SelectPlatform(byName[name], platform); err != nil {
				return nil, fmt.Errorf("image %s: %w", name.Familiar(), err)
			}
		}
		chosen = append(chosen, d)
	}
	if len(chosen) == 0 && len(list) > 0 {
		_, err := SelectPlatform(list, platform)
		return nil, err
	}
	return chosen, nil
}

// loadManifest brings in what a descriptor stands for: an image, or an index
// of one image for several platforms.
func (in *Ingest) loadManifest(ctx context.Context, a *archive, d ocispec.Descriptor, names []Name, platform ocispec.Platform) error {
	raw, err := a.blob("manifest", d.Digest)
	if err != nil {
		return err
	}
	if IsIndex(d.MediaType) {
		var index ocispec.Index
		if err := json.Unmarshal(raw, &index); err != nil {
			return fmt.Errorf("read index: %w", err)
		}
		inner, err := SelectPlatform(index.Manifests, platform)
		if err != nil {
			return err
		}
		if IsIndex(inner.MediaType) {
			return errors.New("an index in an index in an index is not an image")
		}
		return in.loadManifest(ctx, a, inner, names, platform)
	}
	var m ocispec.Manifest
	if err := decodeManifest(raw, &m); err != nil {
		return err
	}
	rawConfig, err := a.blob("config", m.Config.Digest)
	if err != nil {
		return err
	}
	var config ocispec.Image
	if err := json.Unmarshal(rawConfig, &config); err != nil {
		return fmt.Errorf("read image config: %w", err)
	}
	promises, err := Promises(m, config)
	if err != nil {
		return err
	}
	for _, p := range promises {
		if _, err := in.Layer(ctx, a.source(blobName(p.Digest), p)); err != nil {
			return err
		}
	}
	return in.Add(raw, rawConfig, names, nil)
}

// Promises pairs a manifest's layers with the config's diff IDs.
func Promises(m ocispec.Manifest, c ocispec.Image) ([]layer.Promise, error) {
	if len(c.RootFS.DiffIDs) != len(m.Layers) {
		return nil, fmt.Errorf("the manifest has %d layers, the config %d", len(m.Layers), len(c.RootFS.DiffIDs))
	}
	var list []layer.Promise
	for i, l := range m.Layers {
		if err := cmp.Or(l.Digest.Validate(), c.RootFS.DiffIDs[i].Validate()); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		list = append(list, layer.Promise{Digest: l.Digest, DiffID: c.RootFS.DiffIDs[i]})
	}
	return list, nil
}
