package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/cgroup"
	"minictr/pkg/kernel"
	"minictr/pkg/network"
	"minictr/pkg/overlay"
	"minictr/pkg/rootfs"
	"minictr/pkg/seccomp"
	"minictr/pkg/systemd"
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

	// Subpaths are, by destination, paths below the sources of bind mounts
	// that are mounted in their place, and that never lead out of them.
	Subpaths map[string]string `json:"subpaths,omitempty"`

	Secrets []rootfs.Secret `json:"secrets,omitempty"` // where they are on the host, not what they are

	Other *Other `json:"other,omitempty"` // nil: we make the container ourselves

	// ProfileLoader is the path of apparmor_parser, if the kernel is to be given
	// our AppArmor profile first.
	ProfileLoader string `json:"profileLoader,omitempty"`

	Supervised bool `json:"supervised,omitempty"` // the container dies with its shim
	Created    bool `json:"created,omitempty"`    // it waits before execve until it is started (OCI create)

	Ordered      bool `json:"ordered,omitempty"`      // the mount table lists mounts in the order of the configuration
	PreserveFDs  int  `json:"preserveFDs,omitempty"`  // so many descriptors from 3 on stay open for the program
	NoPivot      bool `json:"noPivot,omitempty"`      // the host's root is an initramfs: move and chroot
	NoNewKeyring bool `json:"noNewKeyring,omitempty"` // keep the caller's session keyring

	CgroupOwner string `json:"-"` // see cgroup.Group
	CgroupFound bool   `json:"-"`

	Scope *systemd.Scope `json:"-"` // systemd is told of the cgroup, which lies where it says; nil: it is not asked

	Hierarchy func() (cgroup.Hierarchy, error) `json:"-"` // what cgroup.Detect found before; nil: it is called

	SubCgroups map[string]string `json:"-"` // of exec: see cgroup.Group.Beneath

	seccomp json.RawMessage // linux.seccomp of a loaded config.json; the Spec has none then
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
	err := loadJSON(filepath.Join(bundle, "plan.json"), c)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	path := filepath.Join(bundle, "config.json")
	text, err := kernel.Load(path)
	if err != nil {
		return nil, err
	}
	if err := c.parse(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse makes a Config of a config.json alone, as if it lay in bundle.
func Parse(bundle string, text []byte) (*Config, error) {
	c := &Config{Bundle: bundle, Spec: new(specs.Spec)}
	return c, c.parse(text)
}

// filter is the compiled seccomp profile, an empty one if there is none.
func (c *Config) filter() (seccomp.Filter, error) {
	switch {
	case c.Spec.Linux.Seccomp != nil:
		return seccomp.Compile(c.Spec.Linux.Seccomp, goruntime.GOARCH)
	case len(c.seccomp) == 0:
		return seccomp.Filter{}, nil
	case c.RunDir == "":
		profile := new(specs.LinuxSeccomp)
		if err := json.Unmarshal(c.seccomp, profile); err != nil {
			return seccomp.Filter{}, fmt.Errorf("read the seccomp profile: %w", err)
		}
		return seccomp.Compile(profile, goruntime.GOARCH)
	}
	return seccomp.Cached(filepath.Join(c.RunDir, "seccomp"), c.seccomp, goruntime.GOARCH)
}

func loadJSON(path string, v any) error {
	b, err := kernel.Load(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
