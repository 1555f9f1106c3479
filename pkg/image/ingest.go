package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/layer"
	"minictr/pkg/image/ocispec"
)

// Ingest brings images into the store: layers first, in any order and from
// several goroutines; then Add the documents; then Commit, which makes
// everything visible in one index update. Until then nothing is, and Close
// takes back what was brought.
type Ingest struct {
	s         *Store
	mu        sync.Mutex
	leases    map[string]*os.File
	staged    []staged
	published bool // something may be there that no image needs
}

type staged struct {
	entry  entry
	config []byte
	raw    []byte // the manifest
	m      ocispec.Manifest
}

// Begin starts an ingest, after clearing away what interrupted ones left.
func (s *Store) Begin() (*Ingest, error) {
	if err := s.makeDirs(); err != nil {
		return nil, err
	}
	if err := s.sweep(); err != nil {
		return nil, err
	}
	return &Ingest{s: s, leases: map[string]*os.File{}}, nil
}

func (s *Store) makeDirs() error {
	layout := filepath.Join(s.images, ocispec.ImageLayoutFile) // written last
	_, err := os.Stat(layout)
	for dir, mode := range map[string]fs.FileMode{
		s.blobs:  0o755,
		s.layers: 0o700, // layers hold setuid programs, outdated ones too: nobody but root gets in
	} {
		if err != nil {
			if err := os.MkdirAll(filepath.Dir(dir), 0o711); err != nil {
				return fmt.Errorf("make image store: %w", err)
			}
		}
		if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make image store: %w", err)
		}
	}
	if err == nil {
		return nil
	}
	lock, err := s.lockIndex(unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	raw, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err == nil {
		err = s.makeIndex()
	}
	if err == nil {
		err = writeFile(layout, raw)
	}
	if err != nil {
		return fmt.Errorf("make image store: %w", err)
	}
	return nil
}

// makeIndex writes the empty index that a layout must have.
func (s *Store) makeIndex() error {
	if _, err := os.Stat(filepath.Join(s.images, ocispec.ImageIndexFile)); err == nil {
		return nil
	}
	return s.writeIndex(nil)
}

// Add stages an image whose layers were all brought. It checks that the
// documents belong together. Names may be empty: a dangling image.
func (in *Ingest) Add(manifest, config []byte, names []Name, repoDigests []string) error {
	st := staged{config: config, raw: manifest}
	if err := decodeManifest(manifest, &st.m); err != nil {
		return err
	}
	if err := layer.Verify("config", st.m.Config.Digest, digest.FromBytes(config)); err != nil {
		return err
	}
	mediaType := st.m.MediaType
	if mediaType == "" {
		mediaType = ocispec.MediaTypeImageManifest
	}
	st.entry = entry{
		desc:        ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))},
		names:       names,
		repoDigests: repoDigests,
	}
	img, err := in.s.describe(st.entry, st.m, config)
	if err != nil {
		return err
	}
	st.entry.desc.Platform = &img.Config.Platform
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, l := range img.Layers {
		if in.leases[in.s.blobPath(l.Digest)] == nil || in.leases[in.s.recordPath(l.DiffID)] == nil {
			return fmt.Errorf("add image %s: layer %s was not brought", img.ID, l.DiffID)
		}
	}
	in.staged = append(in.staged, st)
	return nil
}

// Commit makes the added images visible, all of them or none, and returns
// them as the store now has them, in the order that they were added in.
func (in *Ingest) Commit() ([]*Image, error) {
	var images []*Image
	in.published = true
	err := in.s.update(func(entries []entry) ([]entry, error) {
		for _, st := range in.staged {
			if err := in.s.writeBlob(st.m.Config.Digest, st.config); err != nil {
				return nil, err
			}
			if err := in.s.writeBlob(st.entry.desc.Digest, st.raw); err != nil {
				return nil, err
			}
			entries = put(entries, st.entry)
		}
		for _, st := range in.staged {
			img, err := in.s.describe(sameManifest(entries, st.entry), st.m, st.config)
			if err != nil {
				return nil, err
			}
			images = append(images, img)
		}
		// What the index is about to mention must be on disk before it.
		return entries, errors.Join(syncDir(in.s.blobs), syncDir(in.s.layers))
	})
	if err != nil {
		return nil, fmt.Errorf("commit image: %w", err)
	}
	in.published = false
	return images, nil
}

func sameManifest(entries []entry, e entry) entry {
	i := slices.IndexFunc(entries, func(other entry) bool { return other.desc.Digest == e.desc.Digest })
	return entries[i]
}

// writeBlob stores a small document. The index lock is held.
func (s *Store) writeBlob(d digest.Digest, content []byte) error {
	if st, err := os.Stat(s.blobPath(d)); err == nil && st.Size() == int64(len(content)) {
		return nil
	}
	if err := writeFile(s.blobPath(d), content); err != nil {
		return fmt.Errorf("write blob %s: %w", d, err)
	}
	return nil
}

// Close ends the ingest. What was brought and not committed is removed, unless
// somebody else counts on it too.
func (in *Ingest) Close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, f := range in.leases {
		_ = f.Close() // read-only
	}
	clear(in.leases)
	if in.published {
		in.published = false
		return in.s.collect()
	}
	return nil
}

// ensureUnpacked unpacks again what somebody deleted from layers/: the blobs
// are still there.
func (s *Store) ensureUnpacked(img *Image) error {
	if s.unpacked(img) {
		return nil
	}
	in, err := s.Begin()
	if err != nil {
		return err
	}
	for _, l := range img.Layers {
		if _, err := in.Layer(context.Background(), LayerSource{Promise: layer.Promise{Digest: l.Digest, DiffID: l.DiffID}}); err != nil {
			return errors.Join(fmt.Errorf("unpack image %s again: %w", img.ID, err), in.Close())
		}
	}
	return in.Close()
}

func (s *Store) unpacked(img *Image) bool {
	for _, l := range img.Layers {
		if !s.whole(l.DiffID) {
			return false
		}
	}
	return true
}
