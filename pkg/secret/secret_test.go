package secret

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func nobody(string) ([]string, error) { return nil, nil }

func TestASecretIsKeptUntilItIsRemoved(t *testing.T) {
	root := t.TempDir()
	s := Open(root)
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	v, err := s.Create("db.pw", []byte("hunter2"), map[string]string{"a": "b"})
	if err != nil || len(v.ID) != 25 {
		t.Fatalf("%+v, %v", v, err)
	}
	for _, ref := range []string{"db.pw", v.ID, v.ID[:10]} {
		if got, err := s.Get(ref); err != nil || got.Name != "db.pw" || got.Labels["a"] != "b" {
			t.Errorf("Get(%q) = %+v, %v", ref, got, err)
		}
	}
	if b, err := os.ReadFile(v.Data); err != nil || string(b) != "hunter2" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := s.Create("db.pw", []byte("x"), nil); !errors.Is(err, ErrExists) {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Remove("db.pw", func(string) ([]string, error) { return []string{"web"}, nil }); !errors.Is(err, ErrInUse) {
		t.Errorf("in use: %v", err)
	}
	release, err := s.Hold("db.pw")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove("db.pw", nobody); !errors.Is(err, ErrInUse) {
		t.Errorf("held: %v", err)
	}
	release()
	if err := s.Remove(v.ID[:10], nobody); err != nil {
		t.Error(err)
	}
	if _, err := s.Get("db.pw"); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
	if _, err := s.Hold("db.pw"); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(root, "secrets")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestOnlyRootCanReachASecret(t *testing.T) {
	s := Open(t.TempDir())
	v, err := s.Create("pw", []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{s.dir: 0o700, filepath.Dir(v.Data): 0o700, v.Data: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

func TestBadSecretsAreRefused(t *testing.T) {
	s := Open(t.TempDir())
	for _, name := range []string{"", ".x", "x.", "a/b", "..", "a b", strings.Repeat("x", 65), "-"} {
		if _, err := s.Create(name, []byte("x"), nil); err == nil {
			t.Errorf("%q was accepted", name)
		}
		if _, err := s.Get(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get(%q): %v", name, err)
		}
		if err := s.Remove(name, nobody); err == nil {
			t.Errorf("Remove(%q) found something", name)
		}
	}
	for _, size := range []int{0, MaxSize + 1} {
		if _, err := s.Create("size", bytes.Repeat([]byte("x"), size), nil); err == nil {
			t.Errorf("%d bytes were accepted", size)
		}
	}
	if _, err := s.Create("size", bytes.Repeat([]byte("x"), MaxSize), nil); err != nil {
		t.Error(err)
	}
}
