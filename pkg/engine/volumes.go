package engine

import (
	"time"

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
}

// InspectVolume tells everything about a volume.
func (e *Engine) InspectVolume(name string) (*VolumeInspection, error) {
	v, err := e.Volumes.Get(name)
	if err != nil {
		return nil, err
	}
	return &VolumeInspection{CreatedAt: v.Created, Driver: "local", Labels: v.Labels, Mountpoint: v.Data, Name: v.Name, Scope: "local"}, nil
}

// CreateVolume makes a volume; without a name it gets one. One that is there
// already is no error.
func (e *Engine) CreateVolume(want volume.Volume) (volume.Volume, error) {
	if want.Name == "" {
		want.Name, want.Anonymous = newID(), true
	}
	h, _, err := e.Volumes.Use(want)
	if err != nil {
		return want, err
	}
	return h.Volume, h.Release()
}
