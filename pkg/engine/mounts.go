package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"minictr/pkg/engine/config"
	"minictr/pkg/engine/merged"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/lsm"
	"minictr/pkg/volume"
)

// mounts are the user's mounts and a volume for each path that the image wants
// one at. Volumes without a name get one here.
func (e *Engine) mounts(c *config.Config, image ocispec.ImageConfig) ([]config.Mount, error) {
	list := slices.Clone(c.Mounts)
	taken := func(target string) bool {
		return slices.ContainsFunc(list, func(m config.Mount) bool { return m.Target == target })
	}
	for _, from := range slices.Backward(c.VolumesFrom) { // what is named later hides what is named before
		ref, readOnly, err := config.ParseVolumesFrom(from)
		if err != nil {
			return nil, err
		}
		other, err := e.Get(ref)
		if err != nil {
			return nil, err
		}
		for _, m := range other.Mounts {
			if !taken(m.Target) && m.Type != config.Tmpfs {
				m.ReadOnly = m.ReadOnly || readOnly
				list = append(list, m)
			}
		}
	}
	for _, target := range slices.Sorted(maps.Keys(image.Volumes)) {
		if target = filepath.Join("/", target); target != "/" && !taken(target) {
			list = append(list, config.Mount{Type: config.Volume, Target: target, Anonymous: true})
		}
	}
	for i := range list {
		if list[i].Type == config.Volume && list[i].Source == "" {
			list[i].Source = newID()
		}
	}
	return list, checkSources(list)
}

// checkSources refuses host paths that are not there, unless they are to be
// made.
func checkSources(list []config.Mount) error {
	for _, m := range list {
		if m.Relabel && lsm.Detect().SELinux {
			return fmt.Errorf("mount %s: its option z or Z needs SELinux labels, which are not supported yet", m.Target)
		}
		if m.Type != config.Bind {
			continue
		}
		_, err := os.Stat(m.Source)
		switch {
		case errors.Is(err, fs.ErrNotExist) && m.CreateSource:
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("invalid mount: the host has no %s", m.Source)
		case err != nil:
			return fmt.Errorf("invalid mount: %w", err)
		}
		if err := checkPropagation(m); err != nil {
			return fmt.Errorf("invalid mount: %w", err)
		}
	}
	return nil
}

// heldVolumes are the volumes of a container whose record is not valid yet.
type heldVolumes struct {
	engine *Engine
	held   []*volume.Held
	made   []string
}

// holdVolumes makes what is missing (volumes, host directories that -v names),
// and fills new volumes with what the image has in their place. Volumes are taken
// by name, each once: filling one waits until nobody else holds it, which a second
// hold of our own would be for ever, and that of a command with the same volumes in
// another order too.
func (e *Engine) holdVolumes(r *Record) (*heldVolumes, error) {
	h := &heldVolumes{engine: e}
	if err := makeSources(r.Mounts); err != nil {
		return h, err
	}
	places := make(map[string][]config.Mount)
	for _, m := range r.Mounts {
		if m.Type == config.Volume {
			places[m.Source] = append(places[m.Source], m)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(places)) {
		if err := h.hold(r, places[name]); err != nil {
			return h, err
		}
	}
	return h, nil
}

// makeSources makes the host directories that -v names and that have gone since the
// container was made, as those below /run do with the machine.
func makeSources(list []config.Mount) error {
	for _, m := range list {
		if m.Type == config.Bind && m.CreateSource {
			if err := makeSource(m.Source); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeSource makes a host directory, unless there is something of that name.
func makeSource(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.MkdirAll(path, 0o755)
}

// hold holds one volume for the mounts that are of it. The first that the image
// has something in the place of fills it.
func (h *heldVolumes) hold(r *Record, mounts []config.Mount) error {
	v, made, err := h.engine.Volumes.Use(wanted(mounts))
	if err != nil {
		return err
	}
	h.held = append(h.held, v)
	if made {
		h.made = append(h.made, v.Name)
		h.engine.tellVolume(v.Name, "create")
	}
	for _, m := range mounts {
		if err := h.fill(r, m, v); err != nil {
			return err
		}
	}
	return nil
}

// wanted is the volume that mounts ask for, all together.
func wanted(mounts []config.Mount) volume.Volume {
	want := volume.Volume{Name: mounts[0].Source, Anonymous: mounts[0].Anonymous}
	for _, m := range mounts {
		if m.New == nil {
			continue
		}
		if want.Labels == nil {
			want.Labels = m.New.Labels
		}
		if want.Options == nil {
			want.Options = m.New.Options
		}
	}
	return want
}

// fill gives a volume its first content, unless it has some.
func (h *heldVolumes) fill(r *Record, m config.Mount, v *volume.Held) error {
	mount, other, err := v.Mount()
	if err != nil || m.NoCopy || m.Subpath != "" {
		return err
	}
	if other {
		return fillBound(r, m, mount)
	}
	if empty, err := v.Empty(); err != nil || !empty {
		return err
	}
	return v.Fill(func(dir string) (bool, error) { return copyUp(r, m, dir) })
}

// copyUp copies what the image has in the place of a mount.
func copyUp(r *Record, m config.Mount, dir string) (bool, error) {
	view, err := merged.Open(r.Layers...)
	if err != nil {
		return false, err
	}
	defer func() { _ = view.Close() }()
	return view.CopyDir(m.Target, dir)
}

// fillBound fills an empty directory of the host that a volume stands for.
// Other file systems are not mounted out here, and stay as they are.
func fillBound(r *Record, m config.Mount, to volume.Mount) error {
	if !to.Bind {
		return nil
	}
	entries, err := os.ReadDir(to.Device)
	if err != nil {
		return fmt.Errorf("volume %s: %w", m.Source, err)
	}
	if len(entries) == 0 {
		_, err = copyUp(r, m, to.Device)
	}
	return err
}

// resolve turns a mount of a volume into one of what the volume is.
func (e *Engine) resolve(m config.Mount) (config.Mount, error) {
	v, err := e.Volumes.Get(m.Source)
	if err != nil {
		return m, err
	}
	mount, other, err := v.Mount()
	switch {
	case err != nil:
		return m, fmt.Errorf("volume %s: %w", v.Name, err)
	case !other:
		m.Source = v.Data
	case mount.Bind:
		m.Source, m.ReadOnly = mount.Device, m.ReadOnly || slices.Contains(mount.Options, "ro")
	case m.Subpath != "":
		return m, fmt.Errorf("volume %s is a file system of its own: volume-subpath is not supported for those", v.Name)
	default:
		m.Source, m.FileSystem = mount.Device, &config.FileSystem{Type: mount.Type, Options: mount.Options}
	}
	return m, nil
}

// soleUser refuses a volume of type tmpfs that another running container has:
// each would see files of its own.
func (e *Engine) soleUser(c *Container, volume string) error {
	list, err := e.List()
	for _, other := range list {
		if other.ID != c.ID && other.Running() && other.uses(volume) {
			return fmt.Errorf("volume %s is a tmpfs, which one container at a time can have: now it is container %s", volume, other.Name)
		}
	}
	return err
}

func (c *Container) uses(volume string) bool {
	return slices.ContainsFunc(c.Mounts, func(m config.Mount) bool { return m.Type == config.Volume && m.Source == volume })
}

// VolumeUsers names the containers, running or not, that have a volume.
func (e *Engine) VolumeUsers(volume string) ([]string, error) {
	list, err := e.List()
	var users []string
	for _, c := range list {
		if c.uses(volume) {
			users = append(users, c.ShortID())
		}
	}
	return users, err
}

// release lets others remove the volumes: the record keeps them now.
func (h *heldVolumes) release() {
	if h == nil {
		return
	}
	for _, v := range h.held {
		_ = v.Release()
	}
	h.held = nil
}

// discard takes back the volumes that were made for a container that is not to
// be. One that somebody else has taken up meanwhile stays.
func (h *heldVolumes) discard() error {
	if h == nil {
		return nil
	}
	h.release()
	var errs []error
	for _, name := range h.made {
		if err := h.engine.RemoveVolume(name); !errors.Is(err, volume.ErrInUse) && !errors.Is(err, volume.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
