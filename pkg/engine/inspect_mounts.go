package engine

import (
	"minictr/pkg/engine/config"
)

// InspectWanted is a mount as --mount asked for it.
type InspectWanted struct {
	Type          string
	Source        string `json:",omitempty"`
	Target        string
	ReadOnly      bool                  `json:",omitempty"`
	BindOptions   *InspectBindOptions   `json:",omitempty"`
	VolumeOptions *InspectVolumeOptions `json:",omitempty"`
	TmpfsOptions  *InspectTmpfsOptions  `json:",omitempty"`
}

// InspectBindOptions are those of a host's directory.
type InspectBindOptions struct {
	Propagation            string `json:",omitempty"`
	NonRecursive           bool   `json:",omitempty"`
	CreateMountpoint       bool   `json:",omitempty"`
	ReadOnlyNonRecursive   bool   `json:",omitempty"`
	ReadOnlyForceRecursive bool   `json:",omitempty"`
}

// InspectVolumeOptions are those of a volume.
type InspectVolumeOptions struct {
	NoCopy       bool                 `json:",omitempty"`
	Labels       map[string]string    `json:",omitempty"`
	Subpath      string               `json:",omitempty"`
	DriverConfig *InspectVolumeDriver `json:",omitempty"`
}

// InspectVolumeDriver is what a new volume stands for.
type InspectVolumeDriver struct {
	Options map[string]string `json:",omitempty"`
}

// InspectTmpfsOptions are those of an empty file system in memory.
type InspectTmpfsOptions struct {
	SizeBytes int64  `json:",omitempty"`
	Mode      uint32 `json:",omitempty"`
}

// inspectWanted sorts what a user has asked for by how: -v, --mount or --tmpfs.
func inspectWanted(h *InspectHostConfig, mounts []config.Mount) {
	for _, m := range mounts {
		switch {
		case m.Words:
			h.Mounts = append(h.Mounts, wantedInWords(m))
		case m.Type == config.Tmpfs:
			if h.Tmpfs == nil {
				h.Tmpfs = make(map[string]string)
			}
			h.Tmpfs[m.Target] = m.TmpfsOptions
		case m.Source != "": // one without a name is in Config.Volumes
			h.Binds = append(h.Binds, m.Source+":"+m.Target+mode(m, ":"))
		}
	}
}

func wantedInWords(m config.Mount) InspectWanted {
	w := InspectWanted{Type: string(m.Type), Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly}
	switch m.Type {
	case config.Bind:
		bind := InspectBindOptions{
			Propagation: m.Propagation, NonRecursive: m.NonRecursive, CreateMountpoint: m.CreateSource,
			ReadOnlyNonRecursive: m.Below == "writable", ReadOnlyForceRecursive: m.Below == "readonly",
		}
		if bind != (InspectBindOptions{}) {
			w.BindOptions = &bind
		}
	case config.Volume:
		if m.NoCopy || m.Subpath != "" || m.New != nil {
			w.VolumeOptions = &InspectVolumeOptions{NoCopy: m.NoCopy, Subpath: m.Subpath}
		}
		if m.New != nil {
			w.VolumeOptions.Labels = m.New.Labels
		}
		if m.New != nil && m.New.Options != nil {
			w.VolumeOptions.DriverConfig = &InspectVolumeDriver{m.New.Options}
		}
	case config.Tmpfs:
		if m.TmpfsSize != 0 || m.TmpfsMode != 0 {
			w.TmpfsOptions = &InspectTmpfsOptions{m.TmpfsSize, m.TmpfsMode}
		}
	}
	return w
}

// inspectMounts are what is mounted, after all that was asked for and what the
// image wants.
func (e *Engine) inspectMounts(c *Container) []InspectMount {
	list := []InspectMount{}
	for _, m := range c.Mounts {
		if m.Type == config.Tmpfs && !m.Words {
			continue // docker shows these in HostConfig.Tmpfs
		}
		i := InspectMount{Type: string(m.Type), Source: m.Source, Destination: m.Target, RW: !m.ReadOnly, Propagation: m.Propagation}
		if !m.Words {
			i.Mode = mode(m, "")
		}
		switch m.Type {
		case config.Volume:
			i.Name, i.Driver = m.Source, "local"
			if v, err := e.Volumes.Get(m.Source); err == nil {
				i.Source = v.Data
			}
		case config.Bind:
			if i.Propagation == "" {
				i.Propagation = "rprivate"
			}
		}
		list = append(list, i)
	}
	return list
}

func mode(m config.Mount, prefix string) string {
	if m.ReadOnly {
		return prefix + "ro"
	}
	return ""
}
