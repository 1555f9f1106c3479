package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/ocispec"
)

// Save writes images to w as an archive that Load, `docker load`, skopeo and
// others read: an OCI layout in a tar, and docker's manifest.json beside it. A
// repository without a tag stands for all of its tags; an ID for an image
// without names. The blobs are written as they lie here, each once.
func (s *Store) Save(ctx context.Context, w io.Writer, refs []string) ([]*Image, error) {
	saved, err := s.saved(refs)
	if err != nil {
		return nil, fmt.Errorf("save images: %w", err)
	}
	a := &saving{ctx: ctx, s: s, out: tar.NewWriter(w), open: make(map[digest.Digest]*os.File)}
	defer a.close()
	err = a.write(saved)
	if err == nil {
		err = a.out.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("save images: %w", err)
	}
	images := make([]*Image, len(saved))
	for i, one := range saved {
		images[i] = one.img
	}
	return images, nil
}

// savedImage is an image with those of its names that are asked for.
type savedImage struct {
	img   *Image
	names []Name
}

func (s *Store) saved(refs []string) (all []*savedImage, err error) {
	add := func(img *Image, names ...Name) {
		i := slices.IndexFunc(all, func(o *savedImage) bool { return o.img.ID == img.ID })
		if i < 0 {
			i, all = len(all), append(all, &savedImage{img: img})
		}
		for _, n := range names {
			if !slices.Contains(all[i].names, n) {
				all[i].names = append(all[i].names, n)
			}
		}
	}
	for _, ref := range refs {
		list, err := s.List()
		if err != nil {
			return nil, err
		}
		if n, err := ParseName(ref); err == nil && (ref == n.FamiliarRepository() || ref == n.Repository()) {
			before := len(all)
			for _, img := range list {
				if of := slices.DeleteFunc(slices.Clone(img.Names), func(o Name) bool { return o.Repository() != n.Repository() }); len(of) > 0 {
					add(img, of...)
				}
			}
			if len(all) > before {
				continue
			}
		}
		img, err := s.Get(ref)
		if err != nil {
			return nil, err
		}
		n, perr := ParseName(ref)
		if perr == nil && slices.Contains(img.Names, n) {
			add(img, n)
		} else {
			add(img)
		}
	}
	return all, nil
}

// saving is one archive under way. Its blobs are open before the first is
// written: an image that is removed meanwhile is written all the same.
type saving struct {
	ctx  context.Context
	s    *Store
	out  *tar.Writer
	open map[digest.Digest]*os.File
}

func (a *saving) close() {
	for _, f := range a.open {
		f.Close()
	}
}

func (a *saving) write(images []*savedImage) error {
	index := ocispec.Index{Versioned: ocispec.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{}}
	docker := []dockerImage{}
	for _, one := range images {
		d := dockerImage{Config: blobName(one.img.Manifest.Config.Digest), RepoTags: []string{}, Layers: []string{}}
		blobs := []digest.Digest{one.img.Descriptor.Digest, one.img.Manifest.Config.Digest}
		for _, l := range one.img.Manifest.Layers {
			blobs, d.Layers = append(blobs, l.Digest), append(d.Layers, blobName(l.Digest))
		}
		for _, b := range blobs {
			if err := a.hold(b); err != nil {
				return err
			}
		}
		if len(one.names) == 0 {
			index.Manifests = append(index.Manifests, plainDescriptor(one.img, nil))
		}
		for _, n := range one.names {
			d.RepoTags = append(d.RepoTags, n.Familiar())
			index.Manifests = append(index.Manifests, plainDescriptor(one.img, map[string]string{annotationName: n.String(), annotationRef: n.Tag}))
		}
		docker = append(docker, d)
	}
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := a.out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
			return err
		}
	}
	for _, d := range slices.Sorted(maps.Keys(a.open)) {
		if err := a.blob(d); err != nil {
			return err
		}
	}
	return errors.Join(
		a.document(ocispec.ImageIndexFile, index), a.document("manifest.json", docker),
		a.document(ocispec.ImageLayoutFile, ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion}))
}

// plainDescriptor is the manifest's, without what this store notes on it.
func plainDescriptor(img *Image, annotations map[string]string) ocispec.Descriptor {
	return ocispec.Descriptor{
		MediaType: img.Descriptor.MediaType, Digest: img.Descriptor.Digest, Size: img.Descriptor.Size,
		Platform: img.Descriptor.Platform, Annotations: annotations,
	}
}

func (a *saving) hold(d digest.Digest) error {
	if a.open[d] != nil {
		return nil
	}
	f, err := os.Open(a.s.blobPath(d))
	if err != nil {
		return err
	}
	a.open[d] = f
	return nil
}

func (a *saving) blob(d digest.Digest) error {
	if err := a.ctx.Err(); err != nil {
		return err
	}
	f := a.open[d]
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := a.out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: blobName(d), Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(a.out, f)
	return err
}

func (a *saving) document(name string, v any) error {
	var b strings.Builder
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return err
	}
	if err := a.out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(b.Len())}); err != nil {
		return err
	}
	_, err := io.WriteString(a.out, b.String())
	return err
}
