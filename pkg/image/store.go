package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/ocispec"
)

// DefaultRoot is where minictr keeps what survives a reboot.
const DefaultRoot = "/var/lib/minictr"

// Names inside the store.
const (
	recordFile = "layer.json"
	layerDir   = "fs"

	// maxDocument bounds manifests, configs and indexes: registries accept 4 MiB.
	maxDocument = 8 << 20
)

// Store is the images of this machine:
//
//	images/oci-layout, index.json   an OCI image layout that other tools read
//	images/blobs/sha256/…           manifests, configs, layers as they travelled
//	layers/<diff ID>/fs             a layer unpacked: overlayfs's lowerdir
//	layers/<diff ID>/layer.json     its three names
//
// Any number of processes may use it at once.
type Store struct {
	images, blobs, layers string
}

// Open names a store under root. It touches nothing on disk: directories
// are made by the first change, and a store that is not there yet is empty.
func Open(root string) (*Store, error) {
	if root == "" {
		root = DefaultRoot
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("open image store: %w", err)
	}
	images := filepath.Join(root, "images")
	return &Store{
		images: images,
		blobs:  filepath.Join(images, "blobs", "sha256"),
		layers: filepath.Join(root, "layers"),
	}, nil
}

func (s *Store) blobPath(d digest.Digest) string { return filepath.Join(s.blobs, d.Encoded()) }
func (s *Store) layerPath(diffID digest.Digest) string {
	return filepath.Join(s.layers, diffID.Encoded())
}

// Get finds an image by name, by digest, or by ID or the start of one. It is
// on the way of every `minictr run`: one index, one manifest, one config are
// read, one stat for each layer.
func (s *Store) Get(ref string) (*Image, error) {
	for attempt := 0; ; attempt++ {
		img, err := s.get(ref)
		if err == nil {
			err = s.ensureUnpacked(img)
		}
		// An image can be removed between index and blobs; the new index says so.
		if !errors.Is(err, fs.ErrNotExist) || attempt == 3 {
			return img, err
		}
	}
}

func (s *Store) get(ref string) (*Image, error) {
	entries, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	e, err := s.find(entries, ref)
	if err != nil {
		return nil, err
	}
	return s.image(e)
}

// IDs are those of the images that have these names now. A name that no image has
// is left out.
func (s *Store) IDs(names ...string) (map[string]digest.Digest, error) {
	entries, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	ids := make(map[string]digest.Digest, len(names))
	for _, name := range names {
		e, err := s.find(entries, name)
		if err != nil {
			continue
		}
		m, err := s.manifest(e.desc)
		if err == nil {
			ids[name] = m.Config.Digest
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return ids, nil
}

// Hold finds an image as Get does and keeps it, and every other one, from
// being removed until release is called. The engine holds an image while it
// writes the record that Remove's inUse will see; hold it for no longer, and
// change nothing in the store meanwhile.
func (s *Store) Hold(ref string) (img *Image, release func(), err error) {
	if err := s.makeDirs(); err != nil {
		return nil, nil, err
	}
	for {
		lock, err := s.lockIndex(unix.LOCK_SH)
		if err != nil {
			return nil, nil, err
		}
		img, err := s.get(ref)
		if err == nil && s.unpacked(img) {
			return img, func() { _ = lock.Close() }, nil
		}
		_ = lock.Close() // unpacking needs the lock itself
		if err == nil {
			err = s.ensureUnpacked(img)
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// List returns every image in the order of the index, oldest addition first.
func (s *Store) List() ([]*Image, error) {
	entries, err := s.readIndex()
	if err != nil {
		return nil, err
	}
	var list []*Image
	for _, e := range entries {
		img, err := s.image(e)
		if errors.Is(err, fs.ErrNotExist) && s.gone(e) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, img)
	}
	return list, nil
}

// gone tells an image that was removed since the index was read from one whose
// blobs are missing.
func (s *Store) gone(e entry) bool {
	now, err := s.readIndex()
	if err != nil {
		return false
	}
	for _, other := range now {
		if other.desc.Digest == e.desc.Digest {
			return false
		}
	}
	return true
}

// find resolves a reference as docker does: a full ID, a name, the start of
// an ID.
func (s *Store) find(entries []entry, ref string) (entry, error) {
	hex := strings.TrimPrefix(ref, "sha256:")
	if len(hex) == 64 && isHex(hex) {
		return s.findID(entries, ref, hex)
	}
	name, err := ParseName(ref)
	if err == nil {
		for _, e := range entries {
			if e.answersTo(name) {
				return e, nil
			}
		}
	}
	if isHex(hex) {
		if e, err := s.findID(entries, ref, hex); !errors.Is(err, ErrNotFound) {
			return e, err
		}
	}
	if err != nil {
		return entry{}, err
	}
	return entry{}, fmt.Errorf("%w: %s", ErrNotFound, name.Familiar())
}

// findID reads every manifest: only people type IDs.
func (s *Store) findID(entries []entry, ref, hex string) (entry, error) {
	var found entry
	var id digest.Digest
	for _, e := range entries {
		m, err := s.manifest(e.desc)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return entry{}, err
		}
		if !strings.HasPrefix(m.Config.Digest.Encoded(), hex) {
			continue
		}
		if id != "" && id != m.Config.Digest {
			return entry{}, fmt.Errorf("%w: %s", ErrAmbiguous, ref)
		}
		if id == "" {
			found, id = e, m.Config.Digest
		}
	}
	if id == "" {
		return entry{}, fmt.Errorf("%w: %s", ErrNotFound, ref)
	}
	return found, nil
}

// image reads an image's documents. Digests were checked when they were
// written and are not checked again.
func (s *Store) image(e entry) (*Image, error) {
	m, err := s.manifest(e.desc)
	if err != nil {
		return nil, err
	}
	raw, err := s.readBlob("config", m.Config.Digest)
	if err != nil {
		return nil, err
	}
	return s.describe(e, m, raw)
}

func (s *Store) describe(e entry, m ocispec.Manifest, rawConfig []byte) (*Image, error) {
	img := &Image{ID: m.Config.Digest, Names: e.names, RepoDigests: e.repoDigests, Descriptor: e.desc, Manifest: m}
	if err := json.Unmarshal(rawConfig, &img.Config); err != nil {
		return nil, fmt.Errorf("read image config %s: %w", m.Config.Digest, err)
	}
	var err error
	if img.Extras, err = parseExtras(rawConfig); err != nil {
		return nil, fmt.Errorf("image %s: %w", m.Config.Digest, err)
	}
	promises, err := Promises(m, img.Config)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", m.Config.Digest, err)
	}
	for i, p := range promises {
		dir := filepath.Join(s.layerPath(p.DiffID), layerDir)
		img.Layers = append(img.Layers, Layer{Digest: p.Digest, DiffID: p.DiffID, Size: m.Layers[i].Size, Dir: dir})
		img.Size += m.Layers[i].Size
	}
	img.Created = time.Unix(0, 0).UTC()
	if img.Config.Created != nil {
		img.Created = *img.Config.Created
	}
	return img, nil
}

func (s *Store) manifest(d ocispec.Descriptor) (ocispec.Manifest, error) {
	var m ocispec.Manifest
	raw, err := s.readBlob("manifest", d.Digest)
	if err != nil {
		return m, err
	}
	return m, decodeManifest(raw, &m)
}

func decodeManifest(raw []byte, m *ocispec.Manifest) error {
	if err := json.Unmarshal(raw, m); err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	if err := m.Config.Digest.Validate(); err != nil {
		return fmt.Errorf("read manifest: config: %w", err)
	}
	return nil
}

func (s *Store) readBlob(what string, d digest.Digest) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	raw, err := os.ReadFile(s.blobPath(d))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	return raw, nil
}
