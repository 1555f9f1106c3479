package engine

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/volume"
)

// VolumeInspection is everything about a volume, in docker's words.
type VolumeInspection struct {
	CreatedAt  time.Time
	Driver     string
	Labels     map[string]string
	Mountpoint string
	Name       string
	Options    map[string]string
	Scope      string

	// Status and UsageData are there for templates written for docker's volumes, of
	// which only those of other drivers, and of system df, have any.
	Status    map[string]any `json:",omitempty"`
	UsageData *struct{}      `json:",omitempty"`
}

// InspectVolume tells everything about a volume.
func (e *Engine) InspectVolume(name string) (*VolumeInspection, error) {
	v, err := e.Volumes.Get(name)
	if err != nil {
		return nil, err
	}
	return &VolumeInspection{
		CreatedAt: v.Created, Driver: "local", Labels: volumeLabels(v), Mountpoint: v.Data, Name: v.Name, Options: v.Options, Scope: "local",
	}, nil
}

// anonymousLabel is how docker marks volumes without a name of their own.
const anonymousLabel = "com.docker.volume.anonymous"

func volumeLabels(v volume.Volume) map[string]string {
	if !v.Anonymous {
		return v.Labels
	}
	labels := maps.Clone(v.Labels)
	if labels == nil {
		labels = make(map[string]string)
	}
	labels[anonymousLabel] = ""
	return labels
}

// CreateVolume makes a volume; without a name it gets one. One that is there
// already is no error, unless it is something else than what is wanted.
func (e *Engine) CreateVolume(want volume.Volume) (volume.Volume, error) {
	if want.Name == "" {
		want.Name, want.Anonymous = newID(), true
	}
	h, made, err := e.Volumes.Use(want)
	if err != nil {
		return want, err
	}
	if made {
		e.tellVolume(h.Name, "create")
	}
	return h.Volume, h.Release()
}

// RemoveVolume removes a volume and its data, unless a container has it.
func (e *Engine) RemoveVolume(name string) error {
	if name == "" { // an empty variable in a script: no volume that has gone already
		return errors.New("invalid volume name: it is empty")
	}
	err := e.Volumes.Remove(name, e.VolumeUsers)
	if err == nil {
		e.tellVolume(name, "destroy")
	}
	return err
}

// VolumeEntry is a volume in a list.
type VolumeEntry struct {
	volume.Volume
	Labels map[string]string
}

// SelectVolumes lists the volumes that pass docker's filters: name, driver,
// label, dangling (no container has it).
func (e *Engine) SelectVolumes(f Filters) ([]VolumeEntry, error) {
	if err := f.Check("name", "driver", "label", "label!", "dangling"); err != nil {
		return nil, err
	}
	dangling, asked, err := f.Bool("dangling")
	if err != nil {
		return nil, err
	}
	list, err := e.Volumes.List()
	if err != nil {
		return nil, err
	}
	var used map[string]bool
	if asked {
		if used, err = e.volumesInUse(); err != nil {
			return nil, err
		}
	}
	var chosen []VolumeEntry
	for _, v := range list {
		labels := volumeLabels(v)
		if f.matches("name", v.Name) && f.exactly("driver", "local") && f.Labels(labels) && (!asked || used[v.Name] != dangling) {
			chosen = append(chosen, VolumeEntry{v, labels})
		}
	}
	return chosen, nil
}

func (e *Engine) volumesInUse() (map[string]bool, error) {
	list, err := e.List()
	used := make(map[string]bool)
	for _, c := range list {
		for _, m := range c.Mounts {
			used[m.Source] = true
		}
	}
	return used, err
}

// PruneVolumes removes volumes that no container has, anonymous ones only
// unless all is set, and says how many bytes were in them. Filters: label,
// label!, and all.
func (e *Engine) PruneVolumes(f Filters, all bool) (removed []string, bytes int64, err error) {
	if err := f.Check("label", "label!", "all"); err != nil {
		return nil, 0, err
	}
	if wish, given, err := f.Bool("all"); err != nil {
		return nil, 0, err
	} else if given {
		all = wish
	}
	list, err := e.Volumes.List()
	if err != nil {
		return nil, 0, err
	}
	used, err := e.volumesInUse()
	if err != nil {
		return nil, 0, err
	}
	var errs []error
	for _, v := range list {
		if used[v.Name] || !all && !v.Anonymous || !f.Labels(volumeLabels(v)) {
			continue
		}
		size := diskUsage(v.Data)
		switch err := e.RemoveVolume(v.Name); { // which asks again: somebody may be quicker
		case err == nil:
			removed, bytes = append(removed, v.Name), bytes+size
		case !errors.Is(err, volume.ErrInUse) && !errors.Is(err, volume.ErrNotFound):
			errs = append(errs, err)
		}
	}
	e.tellPrune("volume", bytes)
	return removed, bytes, errors.Join(errs...)
}

// diskUsage is how many bytes the files below dir take. What cannot be read
// does not count.
func diskUsage(dir string) (bytes int64) {
	seen := make(map[uint64]bool) // a file with several names is there once
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err != nil || unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			return nil
		}
		if st.Nlink > 1 && seen[st.Ino] {
			return nil
		}
		seen[st.Ino] = st.Nlink > 1
		bytes += st.Size
		return nil
	})
	return bytes
}
