package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"minictr/pkg/volume"
)

// Mount is something that appears inside the container at Target.
type Mount struct {
	Type     MountType `json:"type"`
	Source   string    `json:"source,omitempty"` // host path, or volume name; empty: an anonymous volume
	Target   string    `json:"target"`
	ReadOnly bool      `json:"readOnly,omitempty"`

	// CreateSource makes a missing host directory, as -v does and --mount
	// does not.
	CreateSource bool   `json:"createSource,omitempty"`
	Propagation  string `json:"propagation,omitempty"` // private, rprivate, slave, rslave, shared, rshared
	NonRecursive bool   `json:"nonRecursive,omitempty"`
	Below        string `json:"below,omitempty"`  // which mounts below a read-only one are so too: "" and "readonly" all, "writable" none
	NoCopy       bool   `json:"noCopy,omitempty"` // do not fill a new volume with the image's content
	Subpath      string `json:"subpath,omitempty"`
	Relabel      bool   `json:"relabel,omitempty"` // z or Z: for SELinux
	Words        bool   `json:"words,omitempty"`   // was asked for with --mount: inspect shows these apart

	New *NewVolume `json:"new,omitempty"` // what a volume gets if it has to be made

	// FileSystem is what a volume with options of its own is, when the
	// container starts: a file system that is mounted from Source.
	FileSystem *FileSystem `json:"-"`

	TmpfsSize    int64  `json:"tmpfsSize,omitempty"` // bytes
	TmpfsMode    uint32 `json:"tmpfsMode,omitempty"`
	TmpfsOptions string `json:"tmpfsOptions,omitempty"` // as --tmpfs takes them

	// Anonymous marks a volume that was named by us, for nobody but this
	// container.
	Anonymous bool `json:"anonymous,omitempty"`
}

// FileSystem is one that the kernel mounts.
type FileSystem struct {
	Type    string // ext4, nfs, tmpfs
	Options []string
}

// NewVolume is what a volume gets when it is made for a mount.
type NewVolume struct {
	Labels  map[string]string `json:"labels,omitempty"`
	Options map[string]string `json:"options,omitempty"`
}

// MountType is the kind of a Mount.
type MountType string

// The kinds of mount.
const (
	Bind   MountType = "bind"
	Volume MountType = "volume"
	Tmpfs  MountType = "tmpfs"
)

var propagations = map[string]bool{
	"private": true, "rprivate": true, "slave": true, "rslave": true, "shared": true, "rshared": true,
}

// ParseVolume reads a -v value: [SOURCE:]TARGET[:OPTIONS]. A source with a
// slash at its start is a host path, any other a volume's name.
func ParseVolume(s string) (Mount, error) {
	parts := strings.Split(s, ":")
	m := Mount{Type: Volume}
	switch len(parts) {
	case 1:
		m.Target, m.Anonymous = parts[0], true
	case 2, 3:
		m.Source, m.Target = parts[0], parts[1]
		if m.Source == "" {
			return m, fmt.Errorf("invalid volume %q: there is nothing in front of the first colon", s)
		}
	default:
		return m, fmt.Errorf("invalid volume %q: want [SOURCE:]TARGET[:OPTIONS]", s)
	}
	if strings.HasPrefix(m.Source, "/") || isRelative(m.Source) || strings.HasPrefix(m.Source, "~") {
		m.Type, m.CreateSource = Bind, true
	}
	if len(parts) == 3 {
		if err := m.volumeOptions(parts[2]); err != nil {
			return m, fmt.Errorf("invalid volume %q: %w", s, err)
		}
	}
	if err := m.check(); err != nil {
		return m, fmt.Errorf("invalid volume %q: %w", s, err)
	}
	return m, nil
}

func (m *Mount) volumeOptions(options string) error {
	said := make(map[string]string) // what each kind of option said: they exclude each other
	for o := range strings.SplitSeq(options, ",") {
		kind := o
		switch {
		case o == "ro" || o == "rw":
			kind, m.ReadOnly = "access", o == "ro"
		case o == "nocopy" && m.Type == Volume:
			m.NoCopy = true
		case propagations[o] && m.Type == Bind:
			kind, m.Propagation = "propagation", o
		case o == "z" || o == "Z":
			kind, m.Relabel = "label", true
		case slices.Contains(consistencies, o):
			kind = "consistency"
		default:
			return fmt.Errorf("unknown option %q", o)
		}
		if other, twice := said[kind]; twice {
			return fmt.Errorf("options %q and %q exclude each other", other, o)
		}
		said[kind] = o
	}
	return nil
}

// Replaces tells whether other, which was asked for before, is the same thing
// said again: -v word by word, or another --tmpfs at its place.
func (m *Mount) Replaces(other Mount) bool {
	if m.Words || other.Words {
		return false
	}
	return m.Type == Tmpfs && other.Type == Tmpfs && other.Target == m.Target || other == *m
}

// isRelative tells a path below the working directory from a volume's name,
// which begins with a letter or digit.
func isRelative(source string) bool { return strings.HasPrefix(source, ".") }

// check cleans the paths and refuses impossible ones.
func (m *Mount) check() error {
	if !filepath.IsAbs(m.Target) {
		return fmt.Errorf("the path in the container must be absolute, not %q", m.Target)
	}
	m.Target = filepath.Clean(m.Target)
	if m.Target == "/" {
		return errors.New("nothing can be mounted over the container's root")
	}
	if err := m.checkBelow(); err != nil {
		return err
	}
	switch m.Type {
	case Bind:
		if isRelative(m.Source) {
			return nil // whoever knows the working directory completes it
		}
		if !filepath.IsAbs(m.Source) {
			return fmt.Errorf("the host path must be absolute, not %q (a volume's name has no slash)", m.Source)
		}
		m.Source = filepath.Clean(m.Source)
	case Volume:
		if m.Source == "" {
			if m.Anonymous = true; m.ReadOnly {
				return errors.New("a volume without a name is new, and nobody could ever write to it: it cannot be read-only")
			}
		} else if err := volume.CheckName(m.Source); err != nil {
			return fmt.Errorf("%w (a host path must be absolute)", err)
		}
	}
	return nil
}

// ParseMount reads a --mount value: comma-separated key=value pairs.
func ParseMount(s string) (Mount, error) {
	m := Mount{Type: Volume, Words: true}
	fields, err := splitCSV(s)
	if err == nil {
		err = m.mountFields(fields)
	}
	if err == nil && m.Target == "" {
		err = errors.New("target is missing")
	}
	if err == nil && m.Type == Bind && m.Source == "" {
		err = errors.New("source is missing")
	}
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return m, fmt.Errorf("invalid mount %q: %w", s, err)
	}
	return m, nil
}

func (m *Mount) mountFields(fields []string) error {
	for _, f := range fields { // the type first: other keys depend on it
		if v, ok := strings.CutPrefix(f, "type="); ok {
			m.Type = MountType(strings.ToLower(v))
		}
	}
	if m.Type != Bind && m.Type != Volume && m.Type != Tmpfs {
		return fmt.Errorf("type %q is none of bind, volume, tmpfs", m.Type)
	}
	for _, f := range fields {
		key, value, hasValue := strings.Cut(f, "=")
		if err := m.mountField(strings.ToLower(key), value, hasValue); err != nil {
			return err
		}
	}
	return nil
}

// splitCSV splits at commas; a field may be quoted as in CSV files, which is
// how a path with a comma in it is written.
func splitCSV(s string) ([]string, error) {
	var fields []string
	for {
		if !strings.HasPrefix(s, `"`) {
			f, rest, more := strings.Cut(s, ",")
			fields = append(fields, f)
			if s = rest; !more {
				return fields, nil
			}
			continue
		}
		var f strings.Builder
		s = s[1:]
		for {
			text, rest, ok := strings.Cut(s, `"`)
			if !ok {
				return nil, errors.New("a quote is not closed")
			}
			f.WriteString(text)
			if s = rest; !strings.HasPrefix(s, `"`) {
				break
			}
			f.WriteByte('"')
			s = s[1:]
		}
		fields = append(fields, f.String())
		if s == "" {
			return fields, nil
		}
		if s[0] != ',' {
			return nil, errors.New("a comma is missing after a quote")
		}
		s = s[1:]
	}
}

// ParseTmpfs reads a --tmpfs value: TARGET[:OPTIONS].
func ParseTmpfs(s string) (Mount, error) {
	target, options, _ := strings.Cut(s, ":")
	m := Mount{Type: Tmpfs, Target: target, TmpfsOptions: options}
	if err := m.check(); err != nil {
		return m, fmt.Errorf("invalid tmpfs %q: %w", s, err)
	}
	for o := range strings.SplitSeq(options, ",") {
		if key, _, _ := strings.Cut(o, "="); options != "" && !tmpfsOptions[key] {
			return m, fmt.Errorf("invalid tmpfs %q: unknown option %q", s, o)
		}
	}
	return m, nil
}

var tmpfsOptions = map[string]bool{
	"rw": true, "ro": true, "suid": true, "nosuid": true, "dev": true, "nodev": true, "exec": true, "noexec": true,
	"sync": true, "async": true, "dirsync": true, "atime": true, "noatime": true, "diratime": true, "nodiratime": true,
	"relatime": true, "norelatime": true, "strictatime": true, "nostrictatime": true,
	"size": true, "mode": true, "uid": true, "gid": true, "nr_inodes": true, "nr_blocks": true, "mpol": true,
}
