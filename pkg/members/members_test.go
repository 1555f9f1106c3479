package members

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

type thing struct {
	name  string
	size  int
	tags  []string
	parts []string
}

func (t *thing) table() Table {
	return Table{
		"name": &t.name, "inner": func(r Reader) error { return r.Object(Table{"size": &t.size, "tags": &t.tags}) },
		"parts": func(r Reader) error {
			return r.List(func() error {
				var name string
				err := r.Object(Table{"name": &name})
				t.parts = append(t.parts, name)
				return err
			})
		},
	}
}

func TestMembersGoWhereTheTableSays(t *testing.T) {
	for text, want := range map[string]thing{
		`{"name": "a", "unknown": {"name": [1, {}]}, "inner": {"size": 7, "tags": ["x"]}, "parts": [{"name": "p"}, {}]}`: {"a", 7, []string{"x"}, []string{"p", ""}},
		`{"inner": null, "parts": null, "name": null}`:                                                                   {},
		` {} `: {},
	} {
		var got thing
		if err := Read([]byte(text), got.table()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func TestWhatIsNoneIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"": "EOF", "[]": "a [ where a { should be", "7": "a number where a { should be", `{"name": "a"} {}`: "something follows the end of the object",
		`{"name": "a"`: "jsontext: unexpected EOF after offset 12", `{"inner": {"size": "7"}}`: "inner: size: a string where a number should be",
		`{"parts": [7]}`: "parts: a number where a { should be", `{"unknown": [}`: "unknown: jsontext: invalid character '}' at start of value within \"/unknown/0\" after offset 13",
		`{"parts": [{}`: "parts: jsontext: unexpected EOF within \"/parts\" after offset 13",
	} {
		var got thing
		if err := Read([]byte(text), got.table()); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestValuesAreReadAsByEncodingJSON: what encoding/json makes of a text, and which
// texts it refuses, is the same here, variable by variable.
func TestValuesAreReadAsByEncodingJSON(t *testing.T) {
	texts := []string{
		"null", "true", "false", `""`, `"a\u00e9\n\"<\ud83d\ude00\ud800"`, "\"\xff\"", "0", "-7", "7.5", "1e3", "4294967295", "4294967296", "-9223372036854775808",
		"18446744073709551615", "18446744073709551616", `"2026-11-22T10:00:00.123456789+01:00"`, `"2026-11-22"`, "[]", `["a", ""]`, "[1, 2]", `["a", 1]`, "[null]",
		"{}", `{"a": "b", "c": "d", "a": "e"}`, `{"a": 1}`, `{"a": null}`, `{"a": {}}`, "tru", "[", `["a"`, `{"a"`, `{"a": "b"`, "", "7 7",
	}
	for _, of := range []func() any{
		func() any { return new(string) }, func() any { return new(bool) }, func() any { return new(int) }, func() any { return new(uint32) },
		func() any { return new(uint64) }, func() any { return new(*uint32) }, func() any { return new(*int64) }, func() any { return new(time.Time) },
		func() any { return new([]string) }, func() any { return new([]uint32) }, func() any { return new(map[string]string) },
		func() any { return new(json.RawMessage) }, func() any { return new(struct{ A string }) },
	} {
		for _, text := range texts {
			text = `{"member": ` + text + `}`
			got, want := of(), of()
			err := Read([]byte(text), Table{"member": got})
			object := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "Member", Type: reflect.TypeOf(want), Tag: `json:"member"`}}))
			object.Elem().Field(0).Set(reflect.ValueOf(want))
			wanted := json.Unmarshal([]byte(text), object.Interface())
			if object.Elem().Field(0).IsNil() { // null
				want = of()
			}
			if raw, ok := want.(*json.RawMessage); ok && wanted == nil && *raw == nil {
				*raw = json.RawMessage("null")
			}
			if (err == nil) != (wanted == nil) || err == nil && !reflect.DeepEqual(got, want) {
				t.Errorf("%s into %T: %v, %v; want %v, %v", text, got, reflect.ValueOf(got).Elem(), err, reflect.ValueOf(want).Elem(), wanted)
			}
		}
	}
}
