// Package members reads JSON objects whose shape is known, member by member.
//
// # The problem
//
// For every structure that it may meet encoding/json studies all fields, and the
// structures of those, before it reads a byte. In a program that reads a few
// small files and is over in milliseconds that takes longer than the reading.
//
// # What we do
//
// A table says where each member goes: to a variable, or to a function that
// reads it in turn. encoding/json's decoder still reads the text, all of which
// must be JSON, and the values; it just does not get to see a structure, unless
// the table has a pointer to one, for what is rarely there.
//
// # How it fails
//
// What is no JSON, or a value of another kind than the table has, is an error
// that names the member. Members that the table does not have are skipped, null
// leaves a variable as it is. Unlike json.Unmarshal it takes names literally.
//
// # What is left out
//
// Writing, and any guard against a field that is missing in a table: users have a
// test for that.
package members

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Table says where the members of an object go: a pointer, or a
// func(Reader) error that reads the value itself.
type Table map[string]any

// Reader walks through a JSON text.
type Reader struct{ *json.Decoder }

// Read reads a text that is one object.
func Read(text []byte, t Table) error {
	r := Reader{json.NewDecoder(bytes.NewReader(text))}
	if err := r.Object(t); err != nil {
		return err
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end of the object")
	}
	return nil
}

// Object reads an object.
func (r Reader) Object(t Table) error {
	return r.inside('{', func() error {
		key, err := r.Token()
		if err != nil {
			return err
		}
		switch into := t[key.(string)].(type) { // the decoder has seen to it that it is one
		case nil:
			var skipped json.RawMessage
			err = r.Decode(&skipped)
		case func(Reader) error:
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

// List reads an array.
func (r Reader) List(element func() error) error { return r.inside('[', element) }

// inside reads what begins with open, and has each part read by part. null has
// no parts.
func (r Reader) inside(open json.Delim, part func() error) error {
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
