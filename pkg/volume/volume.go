package volume

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Store is the volumes below one directory. Any number of processes may use it
// at once.
type Store struct{ dir string }

// Open names the store of a MINICTR_ROOT. It touches nothing on disk.
func Open(root string) *Store { return &Store{filepath.Join(root, "volumes")} }

// Volume is one volume.
type Volume struct {
	Name      string            `json:"name"`
	Created   time.Time         `json:"created"`
	Labels    map[string]string `json:"labels,omitempty"`
	Options   map[string]string `json:"options,omitempty"`   // see Mount
	Anonymous bool              `json:"anonymous,omitempty"` // made for one container, named by a number

	// Data is the directory that containers see.
	Data string `json:"-"`
}

// What callers decide by.
var (
	ErrNotFound = errors.New("no such volume")
	ErrInUse    = errors.New("volume is in use")
)

// CheckName says whether a volume may be called name.
func CheckName(name string) error {
	ok := len(name) >= 2 && len(name) <= 255
	for i, c := range []byte(name) {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		ok = ok && (alnum || i > 0 && strings.ContainsRune("_.-", rune(c)))
	}
	if !ok {
		return fmt.Errorf("invalid volume name %q: want two or more of [a-zA-Z0-9_.-], a letter or digit first", name)
	}
	return nil
}

const (
	recordName = "volume.json"
	dataName   = "_data"
	freshName  = "_data.new"  // a copy that is not complete
	filledName = "_data.fill" // one that is, and is on its way into _data
)

func (s *Store) path(name string) string { return filepath.Join(s.dir, name) }

// Held is a volume that nobody can remove until Release.
type Held struct {
	Volume
	lock *os.File
	dir  string
}

// Release lets go of the volume.
func (h *Held) Release() error { return h.lock.Close() }

// Use finds a volume, makes it if there is none, and holds it. made says that
// it is new. Of want the labels, options and Anonymous count, and only for a new
// one; one that is there must not have other options.
func (s *Store) Use(want Volume) (h *Held, made bool, err error) {
	if err := CheckName(want.Name); err != nil {
		return nil, false, err
	}
	if _, _, err := want.Mount(); err != nil {
		return nil, false, err
	}
	for {
		h, err := s.hold(want.Name, unix.LOCK_SH)
		if err == nil && len(want.Options) > 0 && !maps.Equal(h.Options, want.Options) {
			return nil, false, errors.Join(fmt.Errorf("volume %s is there already, with other options", want.Name), h.Release())
		}
		if !errors.Is(err, ErrNotFound) {
			return h, made, err
		}
		if made, err = s.create(want); err != nil {
			return nil, false, err
		}
	}
}

// hold opens and locks a volume. The directory that is locked may have been
// removed or replaced meanwhile: then it is not the volume any more.
func (s *Store) hold(name string, how int) (*Held, error) {
	dir := s.path(name)
	for {
		f, err := os.Open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
		}
		if err != nil {
			return nil, fmt.Errorf("open volume %s: %w", name, err)
		}
		if err := flock(f, how); err != nil {
			_ = f.Close()
			if err == unix.EWOULDBLOCK {
				return nil, fmt.Errorf("%w: %s", ErrInUse, name)
			}
			return nil, fmt.Errorf("lock volume %s: %w", name, err)
		}
		if !same(f, dir) {
			_ = f.Close()
			continue
		}
		v, err := s.read(name)
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		return &Held{Volume: v, lock: f, dir: dir}, nil
	}
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err != unix.EINTR {
			return err
		}
	}
}

func same(f *os.File, path string) bool {
	a, err1 := f.Stat()
	b, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(a, b)
}

// create makes a volume under a hidden name and gives it its own. It reports
// false if somebody else was first.
func (s *Store) create(v Volume) (made bool, err error) {
	if err := os.MkdirAll(s.dir, 0o711); err != nil {
		return false, fmt.Errorf("make the directory of volumes: %w", err)
	}
	v.Created = time.Now().UTC()
	made, err = s.createIn(s.trash(), v)
	if errors.Is(err, unix.EXDEV) { // the volumes are on a file system of their own
		made, err = s.createIn(s.dir, v)
	}
	if err != nil {
		return false, fmt.Errorf("create volume %s: %w", v.Name, err)
	}
	return made, nil
}

func (s *Store) createIn(dir string, v Volume) (made bool, err error) {
	temporary, err := aside(dir)
	if err != nil {
		return false, err
	}
	raw, err := json.Marshal(v)
	if err == nil {
		err = os.Chmod(temporary, 0o711)
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(temporary, dataName), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(temporary, recordName), raw, 0o600)
	}
	if err == nil {
		err = unix.Renameat2(unix.AT_FDCWD, temporary, unix.AT_FDCWD, s.path(v.Name), unix.RENAME_NOREPLACE)
	}
	if err == nil {
		return true, nil
	}
	_ = os.RemoveAll(temporary)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return false, err
}

// trash is MINICTR_ROOT/trash: what is there and ends with the number of a
// process that has gone is deleted by the next command (record.Sweep). So what
// is not a volume yet, or not any more, is left by nobody who is killed.
func (s *Store) trash() string { return filepath.Join(filepath.Dir(s.dir), "trash") }

// aside makes a directory below dir, for the trash or hidden among volumes.
func aside(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(dir, fmt.Sprintf(".volume-*.%d", os.Getpid()))
}

func (s *Store) read(name string) (Volume, error) {
	v := Volume{Name: name, Data: filepath.Join(s.path(name), dataName)}
	raw, err := os.ReadFile(filepath.Join(s.path(name), recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return v, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		return v, fmt.Errorf("read volume %s: %w", name, err)
	}
	v.Name = name
	return v, nil
}

// Get finds a volume.
func (s *Store) Get(name string) (Volume, error) {
	if CheckName(name) != nil {
		return Volume{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	return s.read(name)
}

// List returns all volumes, by name.
func (s *Store) List() ([]Volume, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	var list []Volume
	for _, e := range entries {
		v, err := s.Get(e.Name())
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}
