package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
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
	NoCopy       bool   `json:"noCopy,omitempty"` // do not fill a new volume with the image's content

	TmpfsSize    int64  `json:"tmpfsSize,omitempty"` // bytes
	TmpfsMode    uint32 `json:"tmpfsMode,omitempty"`
	TmpfsOptions string `json:"tmpfsOptions,omitempty"` // as --tmpfs takes them

	// Anonymous marks a volume that was named by us, for nobody but this
	// container.
	Anonymous bool `json:"anonymous,omitempty"`
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
	if strings.HasPrefix(m.Source, "/") || strings.HasPrefix(m.Source, ".") || strings.HasPrefix(m.Source, "~") {
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
	for o := range strings.SplitSeq(options, ",") {
		switch {
		case o == "ro":
			m.ReadOnly = true
		case o == "rw":
		case o == "nocopy" && m.Type == Volume:
			m.NoCopy = true
		case propagations[o] && m.Type == Bind:
			m.Propagation = o
		case o == "z" || o == "Z":
			return fmt.Errorf("option %q needs SELinux labels, which are not supported yet", o)
		default:
			return fmt.Errorf("unknown option %q", o)
		}
	}
	return nil
}

// check cleans the paths and refuses impossible ones.
func (m *Mount) check() error {
	if !filepath.IsAbs(m.Target) {
		return fmt.Errorf("the path in the container must be absolute, not %q", m.Target)
	}
	m.Target = filepath.Clean(m.Target)
	if m.Target == "/" {
		return errors.New("nothing can be mounted over the container's root")
	}
	switch m.Type {
	case Bind:
		if !filepath.IsAbs(m.Source) {
			return fmt.Errorf("the host path must be absolute, not %q (a volume's name has no slash)", m.Source)
		}
		m.Source = filepath.Clean(m.Source)
	case Volume:
		if m.Source == "" {
			m.Anonymous = true
		} else if err := volume.CheckName(m.Source); err != nil {
			return fmt.Errorf("%w (a host path must be absolute)", err)
		}
	}
	return nil
}

// ParseMount reads a --mount value: comma-separated key=value pairs.
func ParseMount(s string) (Mount, error) {
	m := Mount{Type: Volume}
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

func (m *Mount) mountField(key, value string, hasValue bool) (err error) {
	wrongType := func(want MountType) error {
		if m.Type != want {
			return fmt.Errorf("%s does not go with type=%s", key, m.Type)
		}
		return nil
	}
	switch key {
	case "type":
	case "source", "src":
		if m.Type == Tmpfs {
			return fmt.Errorf("%s does not go with type=tmpfs", key)
		}
		m.Source = value
	case "target", "dst", "destination":
		m.Target = value
	case "readonly", "ro":
		m.ReadOnly, err = boolField(key, value, hasValue)
	case "bind-propagation":
		if m.Propagation = value; !propagations[value] {
			return fmt.Errorf("bind-propagation=%s is no propagation", value)
		}
		return wrongType(Bind)
	case "bind-nonrecursive":
		if m.NonRecursive, err = boolField(key, value, hasValue); err == nil {
			err = wrongType(Bind)
		}
	case "bind-recursive":
		switch value {
		case "enabled":
		case "disabled":
			m.NonRecursive = true
		default:
			return fmt.Errorf("bind-recursive=%s is not supported yet", value)
		}
		return wrongType(Bind)
	case "volume-nocopy":
		if m.NoCopy, err = boolField(key, value, hasValue); err == nil {
			err = wrongType(Volume)
		}
	case "tmpfs-size":
		if m.TmpfsSize, err = ParseSize(value); err == nil {
			err = wrongType(Tmpfs)
		}
	case "tmpfs-mode":
		mode, perr := strconv.ParseUint(value, 8, 12)
		if perr != nil {
			return fmt.Errorf("tmpfs-mode=%s is no octal mode", value)
		}
		m.TmpfsMode = uint32(mode)
		return wrongType(Tmpfs)
	case "volume-driver", "volume-opt", "volume-label", "volume-subpath", "consistency", "bind-create-src":
		return fmt.Errorf("%s is not supported yet", key)
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return err
}

func boolField(key, value string, hasValue bool) (bool, error) {
	if !hasValue {
		return true, nil
	}
	b, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%s=%s is neither true nor false", key, value)
	}
	return b, nil
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
