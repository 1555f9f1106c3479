package image

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/layer"
	"minictr/pkg/image/ocispec"
)

// Image is what the store knows about one image. It is a copy: nothing changes
// in it when the store changes.
type Image struct {
	// ID is the digest of the image's config: it names what the image is, down
	// to the content of each layer, however the layers were compressed.
	ID digest.Digest
	// Names that point to it, sorted; none for a dangling image.
	Names []Name
	// RepoDigests are the names by which registries are known to have it:
	// repository@digest, where the digest is that of the manifest or of the
	// multi-platform index it was selected from.
	RepoDigests []string

	Descriptor ocispec.Descriptor // of the manifest
	Manifest   ocispec.Manifest
	Config     ocispec.Image
	Extras
	Layers []Layer // bottom first

	Created time.Time
	Size    int64 // of all layers as they travel, in bytes
}

// Layer is one layer and its three names: the digest by which registries know
// it (compressed), the digest of the tar inside, and the directory it is
// unpacked in.
type Layer struct {
	Digest digest.Digest // distribution digest: the blob
	DiffID digest.Digest // content digest: the tar
	Size   int64         // of the blob, in bytes
	Dir    string        // lowerdir for overlayfs
}

// Record is what the store notes beside an unpacked layer, for people and for
// `minictr images`.
type Record struct {
	Digest digest.Digest `json:"digest"` // of the blob it was unpacked from
	DiffID digest.Digest `json:"diffID"`
	Dir    string        `json:"dir"` // relative to the record
	layer.Usage
}

// LowerDirs are the layers' directories as overlayfs wants them in its
// lowerdir option: top layer first. A layer that occurs twice is listed once,
// where it is highest: overlayfs refuses the same directory twice, and the
// lower copy is hidden by the upper one entry by entry anyway.
func (i *Image) LowerDirs() []string {
	var dirs []string
	for _, l := range slices.Backward(i.Layers) {
		if !slices.Contains(dirs, l.Dir) {
			dirs = append(dirs, l.Dir)
		}
	}
	return dirs
}

// UnpackedSize is the size of all files in the image's layers, in bytes:
// docker's SIZE column. It reads one small record for each layer.
func (i *Image) UnpackedSize() (int64, error) {
	var sum int64
	for _, l := range i.Layers {
		r, err := l.Record()
		if err != nil {
			return 0, err
		}
		sum += r.Bytes
	}
	return sum, nil
}

// Record reads the note beside the unpacked layer.
func (l Layer) Record() (Record, error) {
	var r Record
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(l.Dir), recordFile))
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read the record of layer %s: %w", l.DiffID, err)
	}
	return r, nil
}

// ShortID is the form people see: 12 hex digits.
func (i *Image) ShortID() string { return i.ID.Encoded()[:12] }

// Name is the first name, or the zero Name.
func (i *Image) Name() Name {
	if len(i.Names) == 0 {
		return Name{}
	}
	return i.Names[0]
}
