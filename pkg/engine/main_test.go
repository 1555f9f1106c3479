package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"minictr/pkg/engine/bundle"
	"minictr/pkg/engine/config"
	"minictr/pkg/image"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/leak"
	"minictr/pkg/record"
	"minictr/pkg/shim"
	"minictr/rootfs"
)

//minictr:vm

// The test binary is also the shim of its own containers.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == shimName {
		os.Exit(shim.Main())
	}
	dir, err := os.MkdirTemp("", "minictr-engine-")
	if err == nil {
		err = beShim(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// beShim has the engine start this binary under the shim's name.
func beShim(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, shimName)
	if err := os.Symlink(self, path); err != nil {
		return err
	}
	return os.Setenv("MINICTR_SHIM", path)
}

// newEngine is an engine in directories of its own, with the built-in image as
// "base". Its containers are removed when the test ends.
func newEngine(t *testing.T) *Engine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("containers need root")
	}
	dir := t.TempDir()
	e, err := New(record.Dirs{Root: filepath.Join(dir, "root"), Run: filepath.Join(dir, "run")})
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
	_, err = e.Images.Import(t.Context(), bytes.NewReader(tarball), name, image.ImportOptions{
		Config: ocispec.ImageConfig{Cmd: []string{"/bin/sh"}, Env: []string{"PATH=" + bundle.DefaultPath}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeAll(e); err != nil {
			t.Error(err)
		}
		leak.AwaitShims(t, dir)
	})
	return e
}

func removeAll(e *Engine) error {
	ctx := context.Background()
	if err := e.Settle(ctx); err != nil {
		return err
	}
	list, err := e.List()
	for _, c := range list {
		if err == nil {
			err = e.Remove(ctx, c, RemoveOptions{Force: true, Volumes: true})
		}
	}
	return err
}

func sh(script string) config.Config {
	return config.Config{Image: "base", Process: config.Process{Command: []string{"sh", "-c", script}}}
}

func create(t *testing.T, e *Engine, c config.Config) *Container {
	t.Helper()
	made, err := e.Create(t.Context(), c, ImageOptions{Pull: PullNever})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// run runs a container to its end and returns its output and exit code.
func run(t *testing.T, e *Engine, c config.Config) (string, int) {
	t.Helper()
	var out bytes.Buffer
	o := StartOptions{}
	o.Stdout, o.Stderr = &out, &out
	session, err := e.Start(t.Context(), create(t, e, c), o)
	if err != nil {
		t.Fatal(err)
	}
	exit, err := session.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), exit.Code
}
