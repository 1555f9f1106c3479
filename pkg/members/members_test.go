package members

import (
	"reflect"
	"testing"
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
		"": "EOF", "[]": "[ where a { should be", "7": "7 where a { should be", `{"name": "a"} {}`: "something follows the end of the object",
		`{"name": "a"`: "EOF", `{"inner": {"size": "7"}}`: "inner: size: json: cannot unmarshal string into Go value of type int",
		`{"parts": [7]}`: "parts: 7 where a { should be", `{"unknown": [}`: "unknown: invalid character '}' looking for beginning of value",
	} {
		var got thing
		if err := Read([]byte(text), got.table()); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
