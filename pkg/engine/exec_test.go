package engine

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"minictr/pkg/engine/bundle"
)

func TestExecKnowsOfAContainerWhatItNeeds(t *testing.T) {
	e := newEngine(t)
	cfg := sh("true")
	cfg.Name, cfg.Labels, cfg.GroupAdd = "known", map[string]string{"a": "b"}, []string{"audio"}
	id := create(t, e, cfg).ID
	c, err := e.Get("known")
	if err != nil {
		t.Fatal(err)
	}
	c.IDs, c.Image.Config.Labels = &bundle.IDRange{UID: 1 << 20, GID: 1 << 21, Size: 1 << 16}, map[string]string{"c": "d"}
	path := filepath.Join(e.Dirs.Container(id), "container.json")
	b, err := json.Marshal(c.Record)
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	some, err := e.GetForExec("known")
	if err != nil {
		t.Fatal(err)
	}
	if some.ID != id || some.Name != c.Name || !reflect.DeepEqual(some.State, c.State) || !reflect.DeepEqual(some.IDs, c.IDs) ||
		!reflect.DeepEqual(some.about(), c.about()) || !reflect.DeepEqual(some.Config.GroupAdd, c.Config.GroupAdd) {
		t.Errorf("%+v, want %+v", some, c)
	}
	if err := os.WriteFile(path, []byte(`{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	var damaged *DamagedError
	if _, err := e.GetForExec("known"); !errors.As(err, &damaged) {
		t.Errorf("a damaged record: %v", err)
	}
}
