package engine

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"

	"minictr/pkg/image"
	"minictr/pkg/image/ocispec"
)

// What is done to images is the store's business; the engine knows which of
// them containers need, and tells of what happens (MINICTR_RUN/events).

// TagImage gives an image another name.
func (e *Engine) TagImage(ref, name string) error {
	if err := e.Images.Tag(ref, name); err != nil {
		return err
	}
	if img, err := e.Images.Get(name); err == nil {
		parsed, _ := image.ParseName(name)
		e.tellNamed(img, "tag", parsed.Familiar())
	}
	return nil
}

// ImportImage makes an image of a root file system's tarball.
func (e *Engine) ImportImage(ctx context.Context, r io.Reader, name image.Name, o image.ImportOptions) (*image.Image, error) {
	img, err := e.Images.Import(ctx, r, name, o)
	if err != nil {
		return nil, err
	}
	familiar := ""
	if !name.IsZero() {
		familiar = name.Familiar()
		e.tellNamed(img, "tag", familiar)
	}
	e.tellNamed(img, "import", familiar)
	return img, nil
}

// LoadImages brings in the images of an archive. They are returned with the names
// that the archive has for them.
func (e *Engine) LoadImages(ctx context.Context, r io.Reader, platform ocispec.Platform) ([]*image.Image, error) {
	images, err := e.Images.Load(ctx, r, platform)
	seen := make(map[string]*image.Image) // an archive may name one image several times
	images = slices.DeleteFunc(images, func(img *image.Image) bool {
		first := seen[img.ID.String()]
		if first == nil {
			seen[img.ID.String()] = img
			return false
		}
		first.Names = append(slices.Clip(first.Names), img.Names...)
		return true
	})
	for _, img := range images {
		name := ""
		if !img.Name().IsZero() {
			name = img.Name().Familiar()
		}
		e.tellNamed(img, "load", name)
	}
	return images, err
}

// SaveImages writes images to an archive.
func (e *Engine) SaveImages(ctx context.Context, w io.Writer, refs []string) error {
	images, err := e.Images.Save(ctx, w, refs)
	for _, img := range images {
		e.tellNamed(img, "save", "")
	}
	return err
}

// RemoveImage takes an image's name away, and the image with its last name,
// unless a container was made from it.
func (e *Engine) RemoveImage(ref string, force bool) ([]image.Removal, error) {
	var labels map[string]string
	id := ref
	if img, err := e.Images.Get(ref); err == nil { // a broken one can be removed too
		id, labels = img.ID.String(), img.Config.Config.Labels
	}
	removed, err := e.Images.Remove(ref, force, e.needing)
	for _, r := range removed {
		if r.Untagged != "" {
			e.tellImage(id, "untag", r.Untagged, labels)
		} else {
			e.tellImage(r.Deleted.String(), "delete", "", labels)
		}
	}
	return removed, err
}

// needing are the containers made from the image with this ID.
func (e *Engine) needing(id string) (users []string) {
	list, err := e.List()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return []string{"(the records cannot be read: " + err.Error() + ")"}
	}
	for _, c := range list {
		if c.Image.ID == id {
			users = append(users, c.ShortID())
		}
	}
	return users
}

func (e *Engine) tellNamed(img *image.Image, action, name string) {
	e.tellImage(img.ID.String(), action, name, img.Config.Config.Labels)
}
