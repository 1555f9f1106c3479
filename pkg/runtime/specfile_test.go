package runtime

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// TestTheFilesShapeIsTheSpecifications: a field that the specification gains
// must not be lost in reading.
func TestTheFilesShapeIsTheSpecifications(t *testing.T) {
	for _, pair := range []struct {
		ours, theirs any
		foreign      string // what belongs to other systems
	}{
		{specFile{}, specs.Spec{}, "solaris windows vm zos freebsd"},
		{processFile{}, specs.Process{}, ""},
		{linuxFile{}, specs.Linux{}, ""},
		{resourcesFile{}, specs.LinuxResources{}, ""},
	} {
		ours, theirs := tags(pair.ours), tags(pair.theirs)
		for _, f := range strings.Fields(pair.foreign) {
			delete(theirs, f)
		}
		if !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%T: fields %v, the specification has %v", pair.ours, ours, theirs)
		}
	}
}

func tags(v any) map[string]bool {
	all := make(map[string]bool)
	for typ, i := reflect.TypeOf(v), 0; i < typ.NumField(); i++ {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		all[name] = true
	}
	return all
}

// fill sets every field of v, one element in every slice and map.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	}
}

func TestEveryFieldOfAConfigurationIsRead(t *testing.T) {
	var want specs.Spec
	fill(reflect.ValueOf(&want).Elem())
	want.Solaris, want.Windows, want.VM, want.ZOS, want.FreeBSD = nil, nil, nil, nil, nil
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	profile, err := json.Marshal(want.Linux.Seccomp)
	if err != nil {
		t.Fatal(err)
	}
	if string(c.seccomp) != string(profile) {
		t.Errorf("seccomp: %s, want %s", c.seccomp, profile)
	}
	// Compared as text: fields that JSON leaves out come back as zero.
	want.Linux.Seccomp = nil
	wanted, _ := json.Marshal(want)
	got, _ := json.Marshal(c.Spec)
	if string(got) != string(wanted) {
		t.Errorf("read\n%s\nwant\n%s", got, wanted)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"ociVersion":"1.2.0","process":{"args":["sh"]},"linux":{"resources":{"memory":{"limit":1}},"seccomp":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Load(dir)
		if err != nil {
			return
		}
		c.ID = "fuzz"
		if _, err := Plan(c, IO{}); err == nil && c.Spec.Process == nil {
			t.Error("a plan without a process")
		}
	})
}
