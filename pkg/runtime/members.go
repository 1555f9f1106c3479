package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// members say where the members of a JSON object go: a pointer, or a
// func(reader) error that reads the value itself. Others are skipped.
type members map[string]any

// reader walks through a JSON text.
type reader struct{ *json.Decoder }

// readObject reads a text that is one object.
func readObject(text []byte, m members) error {
	r := reader{json.NewDecoder(bytes.NewReader(text))}
	if err := r.object(m); err != nil {
		return err
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end of the object")
	}
	return nil
}

// object reads an object.
func (r reader) object(m members) error {
	return r.inside('{', func() error {
		key, err := r.Token()
		if err != nil {
			return err
		}
		switch into := m[key.(string)].(type) { // the decoder has seen to it that it is one
		case nil:
			var skipped json.RawMessage
			err = r.Decode(&skipped)
		case func(reader) error:
			err = into(r)
		default:
			err = r.Decode(into)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
}

// list reads an array.
func (r reader) list(element func() error) error { return r.inside('[', element) }

// inside reads what begins with open, and has each part read by part. null has
// no parts.
func (r reader) inside(open json.Delim, part func() error) error {
	switch begin, err := r.Token(); {
	case err != nil:
		return err
	case begin == nil:
		return nil
	case begin != open:
		return fmt.Errorf("%v where a %v should be", begin, open)
	}
	for r.More() {
		if err := part(); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}
