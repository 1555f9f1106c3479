package systemd

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
)

// Scope is the unit of one container.
type Scope struct {
	Name  string `json:"name"`  // "libpod-4f1c….scope"
	Slice string `json:"slice"` // "machine.slice"

	// Properties are the configuration's own, by annotation (see Annotated).
	Properties []Property `json:"-"`
}

// ErrNotRunning says that systemd does not manage this machine.
var ErrNotRunning = errors.New("systemd does not run here: without it cgroups are made by the runtime itself (leave out --systemd-cgroup; in an engine, use its cgroupfs driver)")

// Running reports whether systemd manages this machine, as sd_booted(3) does.
func Running() bool {
	_, err := os.Lstat("/run/systemd/system")
	return err == nil
}

// Parse reads a cgroupsPath of the form SLICE:PREFIX:NAME, of which the slice
// may be empty; an empty path is a container without wishes. A name that ends
// with .slice is a unit by itself.
func Parse(cgroupsPath, id string) (*Scope, error) {
	parts := []string{"", "minictr", id}
	if cgroupsPath != "" {
		parts = strings.Split(cgroupsPath, ":")
	}
	if len(parts) != 3 {
		return nil, fmt.Errorf("expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got %q instead", cgroupsPath)
	}
	s := &Scope{Slice: parts[0], Name: parts[2]}
	if s.Slice == "" {
		s.Slice = "system.slice"
	}
	if !strings.HasSuffix(s.Name, ".slice") {
		s.Name = parts[1] + "-" + parts[2] + ".scope"
		if parts[1] == "" {
			s.Name = parts[2] + ".scope"
		}
	}
	if err := validUnit(s.Name); err != nil {
		return nil, err
	}
	if _, err := slicePath(s.Slice); err != nil {
		return nil, err
	}
	return s, nil
}

// Path is the scope's directory from the root of the cgroup tree.
func (s *Scope) Path() string {
	dir, _ := slicePath(s.Slice) // Parse has looked
	return path.Join("/", dir, s.Name)
}

// slicePath is where a slice lies: each dash in its name is a level
// (systemd.slice(5)).
func slicePath(slice string) (string, error) {
	name, ok := strings.CutSuffix(slice, ".slice")
	switch {
	case !ok || validUnit(slice) != nil:
		return "", fmt.Errorf("%q is no name of a slice", slice)
	case name == "-":
		return "", nil
	case strings.HasPrefix(name, "-") || strings.HasSuffix(name, "-") || strings.Contains(name, "--"):
		return "", fmt.Errorf("%q is no name of a slice: every dash in it divides two names", slice)
	}
	dir := ""
	for i, c := range name + "-" {
		if c == '-' {
			dir = path.Join(dir, name[:i]+".slice")
		}
	}
	return dir, nil
}

// validUnit keeps a unit's name from being a path (systemd.unit(5)).
func validUnit(name string) error {
	for _, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(`:-_.\@`, c)) {
			return fmt.Errorf("%q is no name of a systemd unit: it holds %q", name, c)
		}
	}
	if len(name) > 255 || strings.HasPrefix(name, ".") {
		return fmt.Errorf("%q is no name of a systemd unit", name)
	}
	return nil
}
