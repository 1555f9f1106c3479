package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"minictr/pkg/cgroup"
	"minictr/pkg/image"
	"minictr/pkg/image/registry"
	"minictr/pkg/record"
	"minictr/pkg/volume"
)

// Engine is the containers below two directories.
type Engine struct {
	Dirs    record.Dirs
	Images  *image.Store
	Volumes *volume.Store

	pull func(context.Context, *image.Store, image.Name, registry.Options) (*image.Image, error)
}

// Open names an engine by the environment (MINICTR_ROOT, MINICTR_RUN). It
// touches nothing on disk.
func Open() (*Engine, error) {
	dirs, err := record.FromEnv()
	if err != nil {
		return nil, err
	}
	return New(dirs)
}

// New is Open for given directories.
func New(dirs record.Dirs) (*Engine, error) {
	images, err := image.Open(dirs.Root)
	if err != nil {
		return nil, err
	}
	return &Engine{Dirs: dirs, Images: images, Volumes: volume.Open(dirs.Root), pull: registry.Pull}, nil
}

// ErrNotRoot: making containers takes privileges that this process lacks.
var ErrNotRoot = errors.New("minictr needs root to make containers")

// NeedRoot refuses to begin what could not be finished.
func NeedRoot() error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	return nil
}

// shimName is the program that looks after one container.
const shimName = "minictr-shim"

// shimPath finds the shim: where MINICTR_SHIM says, beside this program, or in
// PATH.
func shimPath() (string, error) {
	if path := os.Getenv("MINICTR_SHIM"); path != "" {
		return path, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), shimName)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath(shimName)
	if err != nil {
		return "", fmt.Errorf("find %s, which belongs beside minictr: %w", shimName, err)
	}
	return path, nil
}

// CgroupVersion is "2", or "1" where the controllers are still in hierarchies
// of their own.
func (e *Engine) CgroupVersion() string {
	if h, err := cgroup.Detect(); err == nil && h.Mode() == cgroup.V2 {
		return "2"
	}
	return "1"
}
