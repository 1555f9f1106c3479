package runtime

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// TestWhatRunsIsReadAsBefore: what LoadRunning leaves out is what Load has more,
// and nothing else.
func TestWhatRunsIsReadAsBefore(t *testing.T) {
	want := Config{Spec: new(specs.Spec)}
	fill(reflect.ValueOf(want.Spec).Elem())
	fill(reflect.ValueOf(&want.Other).Elem())
	want.ID, want.RunDir, want.Without = "id", "/run", []string{"step.one"}
	want.Supervised, want.NoNewKeyring = true, true
	dir := t.TempDir()
	for name, v := range map[string]any{"config.json": want.Spec, "plan.json": want} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	some, err := LoadRunning(dir)
	if err != nil {
		t.Fatal(err)
	}
	all.Spec.Mounts, all.Spec.Hooks, all.Spec.Hostname = nil, nil, ""
	if !reflect.DeepEqual(some, all) {
		t.Errorf("read\n%+v\n%+v\nwant\n%+v\n%+v", some, some.Spec, all, all.Spec)
	}
}

func TestAConfigurationThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "[]", "7", `{"process": {"args": ["sh"`, `{"process": []}`, `{"process": {"args": "sh"}}`, `{"linux": {"namespaces": [7]}}`, "{} {}", "{}x",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := LoadRunning(dir); err == nil {
			t.Errorf("%q is read as %+v", text, c.Spec)
		}
	}
}
