package ocispec

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	oracledigest "github.com/opencontainers/go-digest"
	oracle "github.com/opencontainers/image-spec/specs-go/v1"

	"minictr/pkg/image/digest"
)

// documents are our types and the library's. Those that they contain are
// compared on the way.
var documents = []struct{ ours, lib any }{
	{Index{}, oracle.Index{}},
	{Manifest{}, oracle.Manifest{}},
	{Image{}, oracle.Image{}},
	{ImageLayout{}, oracle.ImageLayout{}},
}

func TestTypesAreTheLibrarysFieldForField(t *testing.T) {
	c := comparison{seen: map[reflect.Type]bool{}}
	for _, d := range documents {
		c.types(reflect.TypeOf(d.lib).Name(), reflect.TypeOf(d.ours), reflect.TypeOf(d.lib))
	}
	for _, w := range c.wrong {
		t.Error(w)
	}
	for _, inside := range []any{Versioned{}, Descriptor{}, Platform{}, ImageConfig{}, RootFS{}, History{}} {
		if !c.seen[reflect.TypeOf(inside)] {
			t.Errorf("%T is in no document and was not compared", inside)
		}
	}
}

// comparison goes through two types side by side.
type comparison struct {
	seen  map[reflect.Type]bool
	wrong []string
}

func (c *comparison) report(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *comparison) types(at string, ours, lib reflect.Type) {
	switch {
	case ours == lib: // string, time.Time, map[string]struct{}, …
		return
	case ours == reflect.TypeFor[digest.Digest]() && lib == reflect.TypeFor[oracledigest.Digest]():
		return
	case ours.Kind() != lib.Kind() || ours.Name() != lib.Name():
		c.report("%s: %v, the library has %v", at, ours, lib)
		return
	}
	switch ours.Kind() {
	case reflect.Pointer, reflect.Slice:
		c.types(at, ours.Elem(), lib.Elem())
	case reflect.Struct:
		if !c.seen[ours] {
			c.seen[ours] = true
			c.fields(at, ours, lib)
		}
	default:
		c.report("%s: %v, the library has %v", at, ours, lib)
	}
}

func (c *comparison) fields(at string, ours, lib reflect.Type) {
	if ours.NumField() != lib.NumField() {
		c.report("%s: %d fields, the library has %d", at, ours.NumField(), lib.NumField())
	}
	for i := range min(ours.NumField(), lib.NumField()) {
		our, libs := ours.Field(i), lib.Field(i)
		if our.Name != libs.Name || our.Tag != libs.Tag || our.Anonymous != libs.Anonymous {
			c.report("%s: field %s `%s`, the library has %s `%s`", at, our.Name, our.Tag, libs.Name, libs.Tag)
			continue
		}
		c.types(at+"."+our.Name, our.Type, libs.Type)
	}
}

// TestTheComparisonFindsDifferences is for the test itself.
func TestTheComparisonFindsDifferences(t *testing.T) {
	type Platform struct { // one field less
		Architecture string   `json:"architecture"`
		OS           string   `json:"os"`
		OSVersion    string   `json:"os.version,omitempty"`
		OSFeatures   []string `json:"os.features,omitempty"`
	}
	type RootFS struct { // another type
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	}
	type ImageLayout struct { // another tag
		Version string `json:"imageLayoutVersion,omitempty"`
	}
	for _, d := range []struct{ ours, lib any }{
		{Platform{}, oracle.Platform{}},
		{RootFS{}, oracle.RootFS{}},
		{ImageLayout{}, oracle.ImageLayout{}},
	} {
		c := comparison{seen: map[reflect.Type]bool{}}
		if c.types("", reflect.TypeOf(d.ours), reflect.TypeOf(d.lib)); c.wrong == nil {
			t.Errorf("%T passes as %T", d.ours, d.lib)
		}
	}
}

func TestConstantsAreTheLibrarys(t *testing.T) {
	for ours, lib := range map[string]string{
		MediaTypeImageIndex:     oracle.MediaTypeImageIndex,
		MediaTypeImageManifest:  oracle.MediaTypeImageManifest,
		MediaTypeImageConfig:    oracle.MediaTypeImageConfig,
		MediaTypeImageLayer:     oracle.MediaTypeImageLayer,
		MediaTypeImageLayerGzip: oracle.MediaTypeImageLayerGzip,
		MediaTypeImageLayerZstd: oracle.MediaTypeImageLayerZstd,
		AnnotationRefName:       oracle.AnnotationRefName,
		ImageLayoutFile:         oracle.ImageLayoutFile,
		ImageLayoutVersion:      oracle.ImageLayoutVersion,
		ImageIndexFile:          oracle.ImageIndexFile,
	} {
		if ours != lib {
			t.Errorf("%s, the library has %s", ours, lib)
		}
	}
}

// TestJSONIsTheLibrarys fills every field and has the other side read it.
func TestJSONIsTheLibrarys(t *testing.T) {
	for _, d := range documents {
		ours := reflect.New(reflect.TypeOf(d.ours))
		fill(ours.Elem())
		text, err := json.Marshal(ours.Interface())
		if err != nil {
			t.Fatal(err)
		}
		lib := reflect.New(reflect.TypeOf(d.lib)).Interface()
		in := json.NewDecoder(strings.NewReader(string(text)))
		in.DisallowUnknownFields()
		if err := in.Decode(lib); err != nil {
			t.Fatalf("%T: %v", d.ours, err)
		}
		if back, err := json.Marshal(lib); err != nil || string(back) != string(text) {
			t.Errorf("%T: %v\n%s\n%s", d.ours, err, text, back)
		}
	}
}

// fill sets all that it finds to something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.SetMapIndex(reflect.ValueOf("key"), value)
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(field)
			}
		}
	}
}
