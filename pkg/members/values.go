package members

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Value reads the next value to where into points: to a string, a truth value, a
// number, a time, a list of strings or numbers, a map of strings; to a pointer to
// a number, which gets one; to [json.RawMessage], which gets the text. Anything
// else encoding/json reads.
func (r Reader) Value(into any) error {
	switch p := into.(type) {
	case *json.RawMessage:
		text, err := r.ReadValue()
		*p = slices.Clone(json.RawMessage(text)) // the decoder's own is good until it reads on
		return err
	case *string:
		return read(r, p, jsontext.KindString, text)
	case *bool:
		return readBool(r, p)
	case *int:
		return read(r, p, jsontext.KindNumber, signed[int])
	case *uint32:
		return read(r, p, jsontext.KindNumber, unsigned[uint32])
	case *uint64:
		return read(r, p, jsontext.KindNumber, unsigned[uint64])
	case **uint32:
		return read(r, p, jsontext.KindNumber, pointer(unsigned[uint32]))
	case **int64:
		return read(r, p, jsontext.KindNumber, pointer(signed[int64]))
	case *time.Time:
		return read(r, p, jsontext.KindString, moment)
	case *[]string:
		return readList(r, p, jsontext.KindString, text)
	case *[]uint32:
		return readList(r, p, jsontext.KindNumber, unsigned[uint32])
	case *map[string]string:
		return readMap(r, p)
	default:
		text, err := r.ReadValue()
		if err != nil {
			return err
		}
		return json.Unmarshal(text, into)
	}
}

// read reads a value of a kind; null leaves into as it is.
func read[T any](r Reader, into *T, kind jsontext.Kind, of func(jsontext.Token) (T, error)) error {
	token, err := r.ReadToken()
	switch {
	case err != nil:
		return err
	case token.Kind() == jsontext.KindNull:
		return nil
	case token.Kind() != kind:
		return otherKind{token.Kind(), kind}
	}
	v, err := of(token)
	if err == nil {
		*into = v
	}
	return err
}

// readBool reads true or false, which are kinds of their own.
func readBool(r Reader, into *bool) error {
	kind := r.PeekKind()
	if kind != jsontext.KindTrue {
		kind = jsontext.KindFalse
	}
	return read(r, into, kind, func(t jsontext.Token) (bool, error) { return t.Bool(), nil })
}

func readList[T any](r Reader, into *[]T, kind jsontext.Kind, of func(jsontext.Token) (T, error)) error {
	if r.PeekKind() == jsontext.KindNull {
		return r.SkipValue()
	}
	list := []T{}
	err := r.List(func() error {
		var v T
		err := read(r, &v, kind, of)
		list = append(list, v)
		return err
	})
	*into = list
	return err
}

func readMap(r Reader, into *map[string]string) error {
	if r.PeekKind() == jsontext.KindBeginObject && *into == nil {
		*into = make(map[string]string)
	}
	return r.inside(jsontext.KindBeginObject, func() error {
		var name, value string
		if err := read(r, &name, jsontext.KindString, text); err != nil {
			return err
		}
		err := read(r, &value, jsontext.KindString, text)
		(*into)[name] = value
		return err
	})
}

func text(t jsontext.Token) (string, error) { return t.String(), nil }

func moment(t jsontext.Token) (time.Time, error) { return time.Parse(time.RFC3339, t.String()) }

func signed[T int | int64](t jsontext.Token) (T, error) {
	i, err := t.Int()
	if err == nil && int64(T(i)) != i {
		err = strconv.ErrRange
	}
	return T(i), err
}

func unsigned[T uint32 | uint64](t jsontext.Token) (T, error) {
	u, err := t.Uint()
	if err == nil && uint64(T(u)) != u {
		err = strconv.ErrRange
	}
	return T(u), err
}

// pointer is of, for a number that is made where it is read.
func pointer[T any](of func(jsontext.Token) (T, error)) func(jsontext.Token) (*T, error) {
	return func(t jsontext.Token) (*T, error) {
		v, err := of(t)
		return &v, err
	}
}
