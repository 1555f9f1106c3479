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
// reads it in turn. The text, all of which must be JSON, is read by jsontext,
// the syntactic half of Go's second encoding/json, which knows no structures. The
// first gets what a table points at only where it is of no common type, which is
// for what is rarely there.
//
// # How it fails
//
// What is no JSON, or a value of another kind than the table has, is an error
// that names the member. Members that the table does not have are skipped, null
// leaves a variable as it is. Unlike json.Unmarshal it takes names literally.
//
// # What is left out
//
// Any guard against a field that is missing in a table: users have a test for
// that.
package members

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Table says where the members of an object go: a pointer (see
// [Reader.Value]), or a func(Reader) error that reads the value itself.
type Table map[string]any

// Reader walks through a JSON text.
type Reader struct{ *jsontext.Decoder }

// Read reads a text that is one object.
func Read(text []byte, t Table) error {
	// The names that an object has had, the decoder would keep to refuse their second
	// appearance; encoding/json never did.
	r := Reader{jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	if err := r.Object(t); err != nil {
		return err
	}
	if _, err := r.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end of the object")
	}
	return nil
}

// Object reads an object.
func (r Reader) Object(t Table) error {
	return r.inside(jsontext.KindBeginObject, func() error {
		token, err := r.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		switch into := t[name].(type) {
		case nil:
			err = r.SkipValue()
		case func(Reader) error:
			err = into(r)
		default:
			err = r.Value(into)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
}

// List reads an array.
func (r Reader) List(element func() error) error { return r.inside(jsontext.KindBeginArray, element) }

// inside reads what begins with open, and has each part read by part. null has
// no parts.
func (r Reader) inside(open jsontext.Kind, part func() error) error {
	switch kind := r.PeekKind(); kind {
	case open:
	case jsontext.KindNull, jsontext.KindInvalid: // of which the decoder says what is wrong with it
		return r.SkipValue()
	default:
		return otherKind{kind, open}
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for r.PeekKind() != jsontext.KindEndObject && r.PeekKind() != jsontext.KindEndArray {
		if err := part(); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

// otherKind says that there is a value of another kind than there should be.
type otherKind struct{ is, want jsontext.Kind }

func (e otherKind) Error() string { return fmt.Sprintf("a %v where a %v should be", e.is, e.want) }
