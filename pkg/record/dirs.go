package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Dirs are the two trees that everything is in.
type Dirs struct {
	Root string // survives a reboot
	Run  string // does not
}

// The directories that are used where the environment names no others.
const (
	DefaultRoot = "/var/lib/minictr"
	DefaultRun  = "/run/minictr"
)

// FromEnv takes the directories from MINICTR_ROOT and MINICTR_RUN. They must be
// absolute: they are handed from process to process.
func FromEnv() (Dirs, error) {
	d := Dirs{DefaultRoot, DefaultRun}
	for _, v := range []struct {
		name string
		dir  *string
	}{{"MINICTR_ROOT", &d.Root}, {"MINICTR_RUN", &d.Run}} {
		set := os.Getenv(v.name)
		if set == "" {
			continue
		}
		if !filepath.IsAbs(set) {
			return Dirs{}, fmt.Errorf("%s must be an absolute path, not %q", v.name, set)
		}
		*v.dir = filepath.Clean(set)
	}
	return d, nil
}

// Env is how a process is told to use d.
func (d Dirs) Env() []string { return []string{"MINICTR_ROOT=" + d.Root, "MINICTR_RUN=" + d.Run} }

// Container is the directory of a container, its OCI bundle.
func (d Dirs) Container(id string) string { return filepath.Join(d.containers(), id) }

// RunDir is where a container's shim keeps what does not survive it.
func (d Dirs) RunDir(id string) string { return filepath.Join(d.running(), id) }

// Socket is where a container's shim listens.
func (d Dirs) Socket(id string) string { return filepath.Join(d.RunDir(id), "shim.sock") }

// Journal is where a container's shim notes the steps that have begun.
func (d Dirs) Journal(id string) string { return filepath.Join(d.RunDir(id), "journal") }

func (d Dirs) containers() string      { return filepath.Join(d.Root, "containers") }
func (d Dirs) names() string           { return filepath.Join(d.Root, "names") }
func (d Dirs) trash() string           { return filepath.Join(d.Root, "trash") }
func (d Dirs) running() string         { return filepath.Join(d.Run, "containers") }
func (d Dirs) reserved() string        { return filepath.Join(d.Run, "reserved") }
func (d Dirs) lock(id string) string   { return filepath.Join(d.RunDir(id), "lock") }
func (d Dirs) marker(id string) string { return filepath.Join(d.reserved(), id) }
func (d Dirs) name(name string) string { return filepath.Join(d.names(), name) }
func (d Dirs) config(id string) string { return filepath.Join(d.Container(id), "container.json") }
func (d Dirs) discarded(id string) string {
	return filepath.Join(d.trash(), fmt.Sprintf("%s.%d", id, os.Getpid()))
}
func (d Dirs) linkTarget(id string) string { return filepath.Join("..", "containers", id) }

// private is the mode of directories that hold containers' files: their
// set-uid programs are none of other users' business.
const private = 0o710

func makeDirs(dirs ...string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, private); err != nil {
			return fmt.Errorf("make a directory for records: %w", err)
		}
	}
	return nil
}

// checkID refuses what would not be one element of a path.
func checkID(id string) error {
	if id == "" || strings.HasPrefix(id, ".") || strings.ContainsAny(id, "/\x00") {
		return fmt.Errorf("%q is no container ID", id)
	}
	return nil
}

// CheckName says whether a container may be called name, by docker's rule.
func CheckName(name string) error {
	for i, c := range []byte(name) {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && (i == 0 || !strings.ContainsRune("_.-", rune(c))) {
			return badName(name)
		}
	}
	if len(name) < 2 || len(name) > 255 {
		return badName(name)
	}
	return nil
}

func badName(name string) error {
	return fmt.Errorf("container name %q: want two or more of [a-zA-Z0-9_.-], a letter or digit first", name)
}

// writeFile puts b at path at once: a reader sees the old file or the new one.
// Only one process at a time writes a container's records, so the temporary
// name needs no number.
func writeFile(path string, b []byte) error {
	temporary := path + ".new"
	err := os.WriteFile(temporary, b, 0o600)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, ignoreMissing(os.Remove(temporary))))
	}
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
