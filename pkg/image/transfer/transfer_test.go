package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"minictr/pkg/image"
	"minictr/pkg/image/digest"
	"minictr/pkg/image/ocispec"
	"minictr/rootfs"
)

// The test binary is also the program.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "minictr-registry" {
		os.Exit(Serve(os.Args[1:], os.Stdout, os.Stderr, program))
	}
	os.Exit(m.Run())
}

var layerDigest = digest.FromString("layer")

// program does what the image's repository is called.
func program(_ context.Context, s *image.Store, name image.Name, o Options) (*image.Image, error) {
	_, what, _ := strings.Cut(name.Repository(), "/")
	switch what {
	case "garbage":
		fmt.Println("Hello")
	case "dies":
		os.Exit(3)
	case "plain":
		return nil, errors.New("the registry wants us to slow down")
	case "there":
		if o.Platform.Architecture != "s390x" {
			return nil, fmt.Errorf("asked for %v", o.Platform)
		}
		for _, state := range []State{Pending, Downloading, Done} {
			o.Progress(Event{Layer: layerDigest, State: state, Current: int64(len(state)), Total: 100})
		}
		return s.Get("base")
	}
	for _, k := range kinds {
		if strings.ReplaceAll(k.name, " ", "-") == what {
			return nil, fmt.Errorf("pull it: %w: so says the registry", k.err)
		}
	}
	return nil, errors.New("nobody knows what " + what + " is")
}

// pullFrom pulls through a process of this test's binary.
func pullFrom(t *testing.T, root, what string, o Options) (*image.Image, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "minictr-registry")
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	name, err := image.ParseName("registry.test/" + what)
	if err != nil {
		t.Fatal(err)
	}
	return Pull(t.Context(), path, root, name, o)
}

func TestAnImageAndItsProgressArrive(t *testing.T) {
	root := t.TempDir()
	store, err := image.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	tarball, err := rootfs.Tarball()
	if err != nil {
		t.Fatal(err)
	}
	name, err := image.ParseName("base")
	if err != nil {
		t.Fatal(err)
	}
	want, err := store.Import(t.Context(), bytes.NewReader(tarball), name, image.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var states []State
	o := Options{Platform: ocispec.Platform{OS: "linux", Architecture: "s390x"}, Progress: func(e Event) {
		if e.Layer != layerDigest || e.Total != 100 || e.Current != int64(len(e.State)) {
			t.Errorf("%+v", e)
		}
		states = append(states, e.State)
	}}
	img, err := pullFrom(t, root, "there", o)
	if err != nil || img.ID != want.ID {
		t.Fatalf("%+v, %v", img, err)
	}
	if !slices.Equal(states, []State{Pending, Downloading, Done}) {
		t.Errorf("%v", states)
	}
	if _, err := pullFrom(t, root, "there", Options{Platform: o.Platform}); err != nil {
		t.Errorf("nobody looks: %v", err)
	}
}

func TestErrorsAreWhatTheyWere(t *testing.T) {
	for _, k := range kinds {
		_, err := pullFrom(t, t.TempDir(), strings.ReplaceAll(k.name, " ", "-"), Options{})
		if !errors.Is(err, k.err) || err.Error() != fmt.Sprintf("pull it: %v: so says the registry", k.err) {
			t.Errorf("%s: %v", k.name, err)
		}
	}
	_, err := pullFrom(t, t.TempDir(), "plain", Options{})
	if err == nil || err.Error() != "the registry wants us to slow down" || errors.Unwrap(err) != nil {
		t.Errorf("%#v", err)
	}
}

func TestAProgramThatFailsIsNamed(t *testing.T) {
	for what, want := range map[string]string{"dies": "ended without a word: exit status 3", "garbage": "is it of this version?"} {
		if _, err := pullFrom(t, t.TempDir(), what, Options{}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "minictr-registry") {
			t.Errorf("%s: %v", what, err)
		}
	}
	name, _ := image.ParseName("alpine")
	if _, err := Pull(t.Context(), "/nowhere/minictr-registry", t.TempDir(), name, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestTypingItIsRefused(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := Serve([]string{"pull", "alpine"}, &out, &errOut, program); code != 2 || out.Len() > 0 || !strings.HasPrefix(errOut.String(), "usage: ") {
		t.Errorf("%d %q %q", code, &out, &errOut)
	}
}
