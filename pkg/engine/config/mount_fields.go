package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mountKeys are the keys of --mount, each with the types it goes with ("" is
// all) and what it does. Docker's spellings of one key are listed each.
var mountKeys = map[string]struct {
	only MountType
	set  func(m *Mount, value string, hasValue bool) error
}{
	"type":              {"", func(*Mount, string, bool) error { return nil }}, // was read first
	"source":            {"", setSource},
	"src":               {"", setSource},
	"target":            {"", setTarget},
	"dst":               {"", setTarget},
	"destination":       {"", setTarget},
	"readonly":          {"", setReadOnly},
	"ro":                {"", setReadOnly},
	"consistency":       {"", setConsistency},
	"bind-propagation":  {Bind, setPropagation},
	"bind-nonrecursive": {Bind, boolean(func(m *Mount, b bool) { m.NonRecursive = b })},
	"bind-recursive":    {Bind, setRecursive},
	"bind-create-src":   {Bind, boolean(func(m *Mount, b bool) { m.CreateSource = b })},
	"volume-nocopy":     {Volume, boolean(func(m *Mount, b bool) { m.NoCopy = b })},
	"volume-subpath":    {Volume, setSubpath},
	"volume-driver":     {Volume, setDriver},
	"volume-opt":        {Volume, setVolumeOption},
	"volume-label":      {Volume, setVolumeLabel},
	"tmpfs-size":        {Tmpfs, setTmpfsSize},
	"tmpfs-mode":        {Tmpfs, setTmpfsMode},
}

func (m *Mount) mountField(key, value string, hasValue bool) error {
	k, ok := mountKeys[key]
	switch {
	case !ok:
		return fmt.Errorf("unknown key %q", key)
	case k.only != "" && k.only != m.Type:
		return fmt.Errorf("%s does not go with type=%s", key, m.Type)
	}
	return k.set(m, value, hasValue)
}

func setSource(m *Mount, value string, _ bool) error {
	if m.Type == Tmpfs {
		return errors.New("source does not go with type=tmpfs")
	}
	m.Source = value
	return nil
}

func setTarget(m *Mount, value string, _ bool) error {
	m.Target = value
	return nil
}

func setReadOnly(m *Mount, value string, hasValue bool) (err error) {
	m.ReadOnly, err = boolField("readonly", value, hasValue)
	return err
}

// consistencies are hints for docker's machines in machines on other systems.
// On Linux a mount is consistent, whatever is asked for.
var consistencies = []string{"consistent", "cached", "delegated", "default"}

func setConsistency(_ *Mount, value string, _ bool) error {
	if !slices.Contains(consistencies, value) {
		return fmt.Errorf("consistency=%s is none of %s", value, strings.Join(consistencies, ", "))
	}
	return nil
}

func boolean(set func(*Mount, bool)) func(*Mount, string, bool) error {
	return func(m *Mount, value string, hasValue bool) error {
		b, err := boolField("the value", value, hasValue)
		set(m, b)
		return err
	}
}

func setPropagation(m *Mount, value string, _ bool) error {
	if m.Propagation = value; !propagations[value] {
		return fmt.Errorf("bind-propagation=%s is no propagation", value)
	}
	return nil
}

// setRecursive says what becomes of the mounts below the source: all come
// along, and of a read-only mount all are read-only, unless it says otherwise.
func setRecursive(m *Mount, value string, _ bool) error {
	switch value {
	case "enabled":
	case "disabled":
		m.NonRecursive = true
	case "writable", "readonly":
		m.Below = value
	default:
		return fmt.Errorf("bind-recursive=%s is none of enabled, disabled, writable, readonly", value)
	}
	return nil
}

func setSubpath(m *Mount, value string, _ bool) error {
	if value == "" || filepath.IsAbs(value) || !filepath.IsLocal(value) {
		return fmt.Errorf("volume-subpath=%s must be a path inside the volume, without a slash in front", value)
	}
	m.Subpath = filepath.Clean(value)
	return nil
}

func setDriver(_ *Mount, value string, _ bool) error {
	if value != "local" && value != "" {
		return fmt.Errorf("volume-driver=%s is not supported: there are local volumes only", value)
	}
	return nil
}

func (m *Mount) volume() *NewVolume {
	if m.New == nil {
		m.New = &NewVolume{}
	}
	return m.New
}

func setVolumeOption(m *Mount, value string, _ bool) error {
	key, v, ok := strings.Cut(value, "=")
	if !ok || key == "" {
		return fmt.Errorf("volume-opt=%s: want volume-opt=KEY=VALUE", value)
	}
	n := m.volume()
	if n.Options == nil {
		n.Options = make(map[string]string)
	}
	n.Options[key] = v
	return nil
}

func setVolumeLabel(m *Mount, value string, _ bool) error {
	n := m.volume()
	if n.Labels == nil {
		n.Labels = make(map[string]string)
	}
	return ParseLabel(n.Labels, value)
}

func setTmpfsSize(m *Mount, value string, _ bool) (err error) {
	m.TmpfsSize, err = ParseSize(value)
	return err
}

func setTmpfsMode(m *Mount, value string, _ bool) error {
	mode, err := strconv.ParseUint(value, 8, 12)
	if err != nil {
		return fmt.Errorf("tmpfs-mode=%s is no octal mode", value)
	}
	m.TmpfsMode = uint32(mode)
	return nil
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

// checkBelow refuses what docker refuses of bind-recursive.
func (m *Mount) checkBelow() error {
	switch {
	case m.Below != "" && !m.ReadOnly:
		return fmt.Errorf("bind-recursive=%s says which mounts are read-only: it needs readonly too", m.Below)
	case m.Below == "readonly" && m.Propagation != "rprivate":
		return errors.New("bind-recursive=readonly needs bind-propagation=rprivate: a mount that came later would be writable")
	}
	return nil
}

// ParseVolumesFrom reads CONTAINER[:ro|rw].
func ParseVolumesFrom(s string) (container string, readOnly bool, err error) {
	container, mode, _ := strings.Cut(s, ":")
	from := Mount{Type: Volume}
	if mode != "" {
		err = from.volumeOptions(mode)
	}
	if err != nil || container == "" || from.NoCopy {
		return "", false, fmt.Errorf("invalid --volumes-from %q: want CONTAINER, perhaps with :ro or :rw", s)
	}
	return container, from.ReadOnly, nil
}

// Absolute completes a host path that is relative to the working directory,
// as "./data" is.
func (m Mount) Absolute(from func(path string) (string, error)) (Mount, error) {
	if m.Type != Bind || filepath.IsAbs(m.Source) {
		return m, nil
	}
	source, err := from(m.Source)
	m.Source = source
	return m, err
}
