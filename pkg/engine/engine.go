package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"minictr/pkg/cgroup"
	"minictr/pkg/image"
	"minictr/pkg/image/transfer"
	"minictr/pkg/record"
	"minictr/pkg/volume"
)

// Engine is the containers below two directories.
type Engine struct {
	Dirs    record.Dirs
	Images  *image.Store
	Volumes *volume.Store

	pull func(context.Context, image.Name, transfer.Options) (*image.Image, error)
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
	e := &Engine{Dirs: dirs, Images: images, Volumes: volume.Open(dirs.Root)}
	e.pull = e.fromRegistry
	return e, nil
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

// The programs that belong beside minictr: one looks after a container, one
// speaks to registries.
const (
	shimName     = "minictr-shim"
	registryName = "minictr-registry"
)

// programPath finds one of them: where MINICTR_SHIM or MINICTR_REGISTRY says,
// beside this program, or in PATH.
func programPath(name string) (string, error) {
	if path := os.Getenv(strings.ToUpper(strings.ReplaceAll(name, "-", "_"))); path != "" {
		return path, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), name)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("find %s, which belongs beside minictr: %w", name, err)
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
