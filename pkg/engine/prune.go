package engine

import (
	"context"
	"errors"
	"time"

	"minictr/pkg/image"
	"minictr/pkg/record"
)

// PruneContainers removes the containers that do not run, and says how many
// bytes they had written. Filters: until, label, label!.
func (e *Engine) PruneContainers(ctx context.Context, f Filters) (removed []string, bytes int64, err error) {
	until, err := pruneUntil(f, "until", "label", "label!")
	if err != nil {
		return nil, 0, err
	}
	list, err := e.List()
	if err != nil {
		return nil, 0, err
	}
	var errs []error
	for _, c := range list {
		if c.Running() || c.State.Status == "restarting" || !f.Labels(c.Labels()) || !until.IsZero() && !c.Created.Before(until) {
			continue
		}
		written, _, err := e.Size(c)
		if err != nil {
			written = 0 // it is removed all the same
		}
		err = e.Remove(ctx, c, RemoveOptions{})
		var missing *record.NotFoundError
		switch {
		case err == nil:
			removed, bytes = append(removed, c.ID), bytes+written
		case c.Running() || errors.As(err, &missing): // started or removed meanwhile
		default:
			errs = append(errs, err)
		}
	}
	e.tellPrune("container", bytes)
	return removed, bytes, errors.Join(errs...)
}

func pruneUntil(f Filters, keys ...string) (time.Time, error) {
	if err := f.Check(keys...); err != nil {
		return time.Time{}, err
	}
	return f.Until()
}

// PruneImages removes images without a name, or with all every image that no
// container was made from, and says how many bytes their layers had unpacked.
// Filters: dangling, until, label, label!.
func (e *Engine) PruneImages(f Filters, all bool) (removed []image.Removal, bytes int64, err error) {
	until, err := pruneUntil(f, "dangling", "until", "label", "label!")
	if err != nil {
		return nil, 0, err
	}
	if dangling, given, err := f.Bool("dangling"); err != nil {
		return nil, 0, err
	} else if given {
		all = !dangling
	}
	list, err := e.Images.List()
	if err != nil {
		return nil, 0, err
	}
	before := layerSizes(list)
	var errs []error
	for _, img := range list {
		if len(img.Names) > 0 && !all || !f.Labels(img.Config.Config.Labels) || !until.IsZero() && !img.Created.Before(until) {
			continue
		}
		done, err := e.removeUnused(img)
		removed = append(removed, done...)
		errs = append(errs, err)
	}
	left, err := e.Images.List()
	after := layerSizes(left)
	for id, size := range before {
		if _, ok := after[id]; !ok {
			bytes += size
		}
	}
	e.tellPrune("image", bytes)
	return removed, bytes, errors.Join(append(errs, err)...)
}

// removeUnused removes an image by all of its names, unless a container needs
// it: then it keeps them.
func (e *Engine) removeUnused(img *image.Image) (removed []image.Removal, err error) {
	users, err := e.imageUsers(img.ID.String())
	if err != nil || len(users) > 0 {
		return nil, err
	}
	refs := []string{img.ID.String()}
	if len(img.Names) > 0 {
		refs = nil
	}
	for _, n := range img.Names {
		refs = append(refs, n.String())
	}
	for _, ref := range refs {
		done, err := e.RemoveImage(ref, false)
		removed = append(removed, done...)
		if errors.Is(err, image.ErrInUse) || errors.Is(err, image.ErrNotFound) { // somebody was quicker
			return removed, nil
		}
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// imageUsers are the containers made from the image with this ID.
func (e *Engine) imageUsers(id string) ([]*Container, error) {
	list, err := e.List()
	var users []*Container
	for _, c := range list {
		if c.Image.ID == id {
			users = append(users, c)
		}
	}
	return users, err
}

// layerSizes are the layers of images, each once, with their bytes unpacked. A
// layer whose record cannot be read counts nothing.
func layerSizes(list []*image.Image) map[string]int64 {
	sizes := make(map[string]int64)
	for _, img := range list {
		for _, l := range img.Layers {
			if _, ok := sizes[l.Dir]; !ok {
				r, _ := l.Record()
				sizes[l.Dir] = r.Bytes
			}
		}
	}
	return sizes
}
