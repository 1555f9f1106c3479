package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/network"
	"minictr/pkg/overlay"
)

// Config is everything a container's plan is made from. On disk it is the OCI
// configuration, config.json, and beside it plan.json for what the
// specification has no words for. A plan is a pure function of these files, so
// any later process can make it again and undo it.
type Config struct {
	ID      string            `json:"id"`
	Bundle  string            `json:"-"` // absolute directory of the two files
	Spec    *specs.Spec       `json:"-"`
	Overlay *overlay.Layers   `json:"overlay,omitempty"` // nil: Spec.Root.Path is the root
	Network *network.Endpoint `json:"network,omitempty"` // nil: as the spec's namespaces say
	RunDir  string            `json:"runDir,omitempty"`  // MINICTR_RUN
	Without []string          `json:"without,omitempty"` // steps left out on purpose

	Supervised bool `json:"supervised,omitempty"` // the container dies with its shim
	Created    bool `json:"created,omitempty"`    // it waits before execve until it is started (OCI create)

	PreserveFDs  int  `json:"preserveFDs,omitempty"`  // so many descriptors from 3 on stay open for the program
	NoPivot      bool `json:"noPivot,omitempty"`      // the host's root is an initramfs: move and chroot
	NoNewKeyring bool `json:"noNewKeyring,omitempty"` // keep the caller's session keyring
}

// Save writes both files into the bundle.
func Save(c *Config) error {
	if err := saveJSON(filepath.Join(c.Bundle, "config.json"), c.Spec); err != nil {
		return err
	}
	return saveJSON(filepath.Join(c.Bundle, "plan.json"), c)
}

func saveJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return os.Rename(tmp, path)
}

// Load reads a bundle. A bundle without plan.json is a plain OCI bundle.
func Load(bundle string) (*Config, error) {
	c := &Config{Bundle: bundle, Spec: new(specs.Spec)}
	if err := loadJSON(filepath.Join(bundle, "config.json"), c.Spec); err != nil {
		return nil, err
	}
	if err := loadJSON(filepath.Join(bundle, "plan.json"), c); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return c, nil
}

func loadJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
