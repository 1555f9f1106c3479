package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/cgroup"
	"minictr/pkg/engine/bundle"
	"minictr/pkg/engine/config"
	"minictr/pkg/record"
	"minictr/pkg/shim"
	"minictr/pkg/shim/client"
	"minictr/pkg/shim/wire"
)

// Update changes a container's limits and its restart policy, at once if it
// runs. What change does not touch stays. If the kernel refuses a limit
// everything is as it was. The warnings are about limits that this machine
// does not have.
func (e *Engine) Update(ctx context.Context, c *Container, change func(*config.Config) error) (warnings []string, err error) {
	release, err := e.claim(ctx, c)
	if err != nil {
		return nil, err
	}
	defer release()
	fresh, err := e.Get(c.ID) // others may have changed it before it was our turn
	if err != nil {
		return nil, err
	}
	next := *fresh
	if err := change(&next.Config); err != nil {
		return nil, err
	}
	if err := next.Config.Validate(); err != nil {
		return nil, err
	}
	if warnings, err = able(&next.Config); err != nil {
		return nil, err
	}
	if next.Running() {
		if err := e.apply(ctx, fresh, &next); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(next.Record)
	if err == nil {
		err = record.Update(e.Dirs, c.ID, raw)
	}
	if err == nil {
		e.tell(&next, "update", nil)
	}
	return warnings, err
}

// apply changes a container that runs. Its files come first, from which its
// shim will undo it, then its cgroup.
func (e *Engine) apply(ctx context.Context, old, next *Container) error {
	resources, err := e.resources(next)
	if err != nil {
		return err
	}
	before, err := replaceResources(e.Dirs.Container(next.ID), resources)
	if err != nil {
		return err
	}
	if err := e.saveShimConfig(next); err != nil {
		return err
	}
	err = client.Ask(ctx, e.Dirs, next.ID, wire.Request{Do: wire.DoReload})
	if errors.Is(err, client.ErrNotRunning) {
		return nil // it has just ended: what is written counts for its next start
	}
	if err == nil && next.State.Pid != 0 {
		err = limit(before.path, resources)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // likewise
	}
	if err != nil {
		_, back := replaceResources(e.Dirs.Container(next.ID), before.resources)
		return errors.Join(fmt.Errorf("update container %s: %w", next.Name, err), back, e.saveShimConfig(old))
	}
	return nil
}

func (e *Engine) saveShimConfig(c *Container) error {
	config, err := e.shimConfig(c)
	if err != nil {
		return err
	}
	return shim.SaveConfig(e.Dirs.Container(c.ID), config)
}

func limit(path string, resources *specs.LinuxResources) error {
	hierarchy, err := cgroup.Detect()
	if err != nil {
		return err
	}
	group, err := hierarchy.Group(path, nil)
	if err != nil {
		return err
	}
	limits := *resources
	limits.Devices = nil // those are not changed
	_, err = group.Update(&limits)
	return err
}

// resources are the container's limits as the OCI has them.
func (e *Engine) resources(c *Container) (*specs.LinuxResources, error) {
	numbers, err := disks(c.Config.Disks())
	if err != nil {
		return nil, err
	}
	_, rules, err := devices(&c.Config)
	if err != nil {
		return nil, err
	}
	r, _, err := fit(bundle.Resources(bundle.Input{Config: &c.Config, Numbers: numbers, DeviceRules: rules}))
	return r, err
}

// replaced is what replaceResources has found.
type replaced struct {
	path      string // of the cgroup
	resources *specs.LinuxResources
}

// replaceResources changes the limits in a bundle's config.json, and leaves
// everything else in it as it is. It returns those before.
func replaceResources(dir string, r *specs.LinuxResources) (before replaced, err error) {
	path := filepath.Join(dir, "config.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return before, err
	}
	var spec, linux map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(raw, &spec), json.Unmarshal(spec["linux"], &linux)); err != nil {
		return before, fmt.Errorf("read %s: %w", path, err)
	}
	err = json.Unmarshal(linux["cgroupsPath"], &before.path)
	if old := linux["resources"]; err == nil && len(old) > 0 {
		err = json.Unmarshal(old, &before.resources)
	}
	if err != nil {
		return before, fmt.Errorf("read %s: %w", path, err)
	}
	if linux["resources"], err = json.Marshal(r); err != nil {
		return before, err
	}
	if spec["linux"], err = json.Marshal(linux); err != nil {
		return before, err
	}
	if raw, err = json.Marshal(spec); err != nil {
		return before, err
	}
	if err = os.WriteFile(path+".tmp", raw, 0o600); err == nil {
		err = os.Rename(path+".tmp", path)
	}
	return before, err
}
