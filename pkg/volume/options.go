package volume

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Mount is what a volume with options of its own stands for: not a directory
// of ours but something that is mounted, in each container that has it.
type Mount struct {
	Bind    bool // Device is a directory of the host
	Type    string
	Device  string
	Options []string // for the file system; of a bind, those that concern access
}

// Mount says what the volume's options mean, by the keys that docker's local
// driver takes: type, device and o, as for mount(8). It reports false for an
// ordinary volume.
func (v Volume) Mount() (Mount, bool, error) {
	if len(v.Options) == 0 {
		return Mount{}, false, nil
	}
	for key := range v.Options {
		switch key {
		case "type", "device", "o":
		case "size":
			return Mount{}, false, errors.New(`volume option "size" is not supported: it needs a quota of the host's file system; a volume of type=tmpfs takes it in o=size=…`)
		default:
			return Mount{}, false, fmt.Errorf("invalid volume option %q: want type, device or o", key)
		}
	}
	m := Mount{Type: v.Options["type"], Device: v.Options["device"]}
	for o := range strings.SplitSeq(v.Options["o"], ",") {
		switch o {
		case "":
		case "bind", "rbind":
			m.Bind = true
		default:
			m.Options = append(m.Options, o)
		}
	}
	m.Bind = m.Bind || m.Type == "bind"
	switch {
	case m.Device == "" && m.Type == "tmpfs":
		m.Device = "tmpfs"
	case m.Device == "":
		return m, false, errors.New("volume options without a device: say what is mounted with device=…")
	case m.Bind && !filepath.IsAbs(m.Device):
		return m, false, fmt.Errorf("the volume's device must be an absolute path, not %q", m.Device)
	case !m.Bind && (m.Type == "" || m.Type == "none"):
		return m, false, errors.New("volume options without a type: say which file system it is with type=…, or o=bind for a directory of the host")
	}
	if m.Bind {
		for _, o := range m.Options {
			if !slices.Contains([]string{"ro", "rw"}, o) {
				return m, false, fmt.Errorf("volume option o=%s does not go with o=bind", o)
			}
		}
	}
	return m, true, nil
}
