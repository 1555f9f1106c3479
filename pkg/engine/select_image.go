package engine

import (
	"path"
	"slices"
	"time"

	"minictr/pkg/image"
)

// SelectImages keeps the images that pass docker's filters: dangling (without
// a name), label, before and since (another image), until, reference (a
// pattern). Names that a reference does not match are taken off the image.
func (e *Engine) SelectImages(list []*image.Image, f Filters) ([]*image.Image, error) {
	if err := f.Check("before", "dangling", "label", "label!", "reference", "since", "until"); err != nil {
		return nil, err
	}
	dangling, asked, err := f.Bool("dangling")
	if err != nil {
		return nil, err
	}
	before, err := e.createdWith(f["before"])
	if err != nil {
		return nil, err
	}
	since, err := e.createdWith(f["since"])
	if err != nil {
		return nil, err
	}
	until, err := f.Until()
	if err != nil {
		return nil, err
	}
	for _, pattern := range f["reference"] {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, bad("reference", pattern)
		}
	}
	var chosen []*image.Image
	for _, img := range list {
		if asked && dangling != (len(img.Names) == 0) || !f.Labels(img.Config.Config.Labels) ||
			!before.IsZero() && !img.Created.Before(before) || !since.IsZero() && !img.Created.After(since) ||
			!until.IsZero() && !img.Created.Before(until) {
			continue
		}
		if len(f["reference"]) > 0 {
			copied := *img
			copied.Names = slices.DeleteFunc(slices.Clone(img.Names), func(n image.Name) bool { return !f.reference(n) })
			if img = &copied; len(img.Names) == 0 {
				continue
			}
		}
		chosen = append(chosen, img)
	}
	return chosen, nil
}

// createdWith is when the image named last was made; zero for none.
func (e *Engine) createdWith(refs []string) (t time.Time, err error) {
	for _, ref := range refs {
		img, err := e.Images.Get(ref)
		if err != nil {
			return t, err
		}
		t = img.Created
	}
	return t, nil
}

// reference tells whether one of the patterns matches a name, with its tag or
// without.
func (f Filters) reference(n image.Name) bool {
	return slices.ContainsFunc(f["reference"], func(pattern string) bool {
		whole, _ := path.Match(pattern, n.Familiar())
		repository, _ := path.Match(pattern, n.FamiliarRepository())
		return whole || repository
	})
}
