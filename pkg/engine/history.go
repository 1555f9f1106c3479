package engine

import (
	"time"
)

// HistoryEntry is one step in the making of an image. Steps that changed no
// file have no layer, and no size.
type HistoryEntry struct {
	ID        string // of the image after this step, where it is known
	Created   time.Time
	CreatedBy string
	Comment   string
	Size      int64 // bytes of the step's layer, unpacked
}

// History tells how an image was made, the last step first. An image brings its
// history along as text: the images in between exist nowhere, so only the last
// step has an ID.
func (e *Engine) History(ref string) ([]HistoryEntry, error) {
	img, err := e.Images.Get(ref)
	if err != nil {
		return nil, err
	}
	var steps []HistoryEntry
	layers := img.Layers
	for _, h := range img.Config.History {
		s := HistoryEntry{CreatedBy: h.CreatedBy, Comment: h.Comment}
		if h.Created != nil {
			s.Created = *h.Created
		}
		if !h.EmptyLayer && len(layers) > 0 {
			r, err := layers[0].Record()
			if err != nil {
				return nil, err
			}
			s.Size, layers = r.Bytes, layers[1:]
		}
		steps = append([]HistoryEntry{s}, steps...)
	}
	for _, l := range layers { // their makers told nothing
		r, err := l.Record()
		if err != nil {
			return nil, err
		}
		steps = append([]HistoryEntry{{Size: r.Bytes}}, steps...)
	}
	if len(steps) > 0 {
		steps[0].ID = img.ID.String()
	}
	return steps, nil
}
