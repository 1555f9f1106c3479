package secret

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// MaxSize is how many bytes a secret can have, docker's 500 KiB.
const MaxSize = 500 << 10

// Secret is what may be known of a secret.
type Secret struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Created time.Time         `json:"created"`
	Labels  map[string]string `json:"labels,omitempty"`

	// Data is the file with its content.
	Data string `json:"-"`
}

// What callers decide by.
var (
	ErrNotFound = errors.New("no such secret")
	ErrInUse    = errors.New("secret is in use")
	ErrExists   = errors.New("secret exists already")
)

// Store is the secrets below one directory. Any number of processes may use it
// at once.
type Store struct{ dir string }

// Open names the store of a MINICTR_ROOT. It touches nothing on disk.
func Open(root string) *Store { return &Store{filepath.Join(root, "secrets")} }

const (
	recordName = "secret.json"
	dataName   = "data"
)

// CheckName says whether a secret may be called name.
func CheckName(name string) error {
	ok := name != "" && len(name) <= 64
	for i, c := range []byte(name) {
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		ok = ok && (alnum || i > 0 && i < len(name)-1 && strings.ContainsRune("_.-", rune(c)))
	}
	if !ok {
		return fmt.Errorf("invalid secret name %q: want at most 64 of [a-zA-Z0-9_.-], a letter or digit first and last", name)
	}
	return nil
}

// Create makes a secret under a hidden name and gives it its own: it is there
// whole or not at all.
func (s *Store) Create(name string, data []byte, labels map[string]string) (Secret, error) {
	v := Secret{ID: newID(), Name: name, Created: time.Now().UTC(), Labels: labels}
	if err := CheckName(name); err != nil {
		return v, err
	}
	if len(data) == 0 || len(data) > MaxSize {
		return v, fmt.Errorf("secret %s has %d bytes: want at least 1 and at most %d", name, len(data), MaxSize)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return v, fmt.Errorf("make the directory of secrets: %w", err)
	}
	err := s.createIn(s.trash(), v, data)
	if errors.Is(err, unix.EXDEV) { // the secrets are on a file system of their own
		err = s.createIn(s.dir, v, data)
	}
	switch {
	case err == nil:
		return s.read(name)
	case errors.Is(err, fs.ErrExist):
		return v, fmt.Errorf("%w: %s", ErrExists, name)
	}
	return v, fmt.Errorf("create secret %s: %w", name, err)
}

func (s *Store) createIn(dir string, v Secret, data []byte) error {
	temporary, err := aside(dir)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(v)
	if err == nil {
		err = os.WriteFile(filepath.Join(temporary, dataName), data, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(temporary, recordName), raw, 0o600)
	}
	if err == nil {
		err = unix.Renameat2(unix.AT_FDCWD, temporary, unix.AT_FDCWD, filepath.Join(s.dir, v.Name), unix.RENAME_NOREPLACE)
	}
	if err != nil {
		_ = os.RemoveAll(temporary)
	}
	return err
}

// trash is MINICTR_ROOT/trash: what is there and ends with the number of a
// process that has gone is deleted by the next command (record.Sweep). So no
// secret stays on disk because somebody was killed who was making or removing it.
func (s *Store) trash() string { return filepath.Join(filepath.Dir(s.dir), "trash") }

// aside makes a directory, for root alone, below dir: the trash, or hidden among
// secrets.
func aside(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return os.MkdirTemp(dir, fmt.Sprintf(".secret-*.%d", os.Getpid()))
}

// newID is 25 letters and digits, as docker's swarm has them.
func newID() string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 25)
	_, _ = rand.Read(b) // never fails
	for i := range b {
		b[i] = digits[int(b[i])%len(digits)]
	}
	return string(b)
}

func (s *Store) read(name string) (Secret, error) {
	v := Secret{}
	raw, err := os.ReadFile(filepath.Join(s.dir, name, recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return v, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		return v, fmt.Errorf("read secret %s: %w", name, err)
	}
	v.Name, v.Data = name, filepath.Join(s.dir, name, dataName)
	return v, nil
}

// Get finds a secret by its name, its ID, or the beginning of that.
func (s *Store) Get(ref string) (Secret, error) {
	if CheckName(ref) == nil {
		if v, err := s.read(ref); !errors.Is(err, ErrNotFound) {
			return v, err
		}
	}
	list, err := s.List()
	if err != nil {
		return Secret{}, err
	}
	list = slices.DeleteFunc(list, func(v Secret) bool { return ref == "" || !strings.HasPrefix(v.ID, ref) })
	switch len(list) {
	case 0:
		return Secret{}, fmt.Errorf("%w: %s", ErrNotFound, ref)
	case 1:
		return list[0], nil
	}
	return Secret{}, fmt.Errorf("%s is ambiguous: %d secrets' IDs begin so", ref, len(list))
}

// List returns all secrets, by name.
func (s *Store) List() ([]Secret, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list secrets: %w", err)
	}
	var list []Secret
	for _, e := range entries {
		if CheckName(e.Name()) != nil {
			continue // one that is just being made or removed
		}
		v, err := s.read(e.Name())
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

// Hold keeps a secret from being removed until release.
func (s *Store) Hold(name string) (release func(), err error) {
	f, err := s.lock(name, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// lock locks the directory of a secret, which may have been removed by the
// time that we get the lock.
func (s *Store) lock(name string, how int) (*os.File, error) {
	if CheckName(name) != nil {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	dir := filepath.Join(s.dir, name)
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err != nil {
		return nil, fmt.Errorf("open secret %s: %w", name, err)
	}
	for {
		if err = unix.Flock(int(f.Fd()), how); err != unix.EINTR {
			break
		}
	}
	mine, err1 := f.Stat()
	there, err2 := os.Stat(dir)
	switch {
	case err == unix.EWOULDBLOCK:
		err = fmt.Errorf("%w: %s", ErrInUse, name)
	case err != nil:
		err = fmt.Errorf("lock secret %s: %w", name, err)
	case err1 != nil || err2 != nil || !os.SameFile(mine, there):
		err = fmt.Errorf("%w: %s was removed a moment ago", ErrNotFound, name)
	default:
		return f, nil
	}
	_ = f.Close()
	return nil, err
}

// Remove removes a secret. inUse names the containers that have it; it is asked
// while nobody can begin to use the secret.
func (s *Store) Remove(ref string, inUse func(name string) ([]string, error)) error {
	v, err := s.Get(ref)
	if err != nil {
		return err
	}
	f, err := s.lock(v.Name, unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		return err
	}
	defer f.Close()
	users, err := inUse(v.Name)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return fmt.Errorf("%w: %s, by container %s", ErrInUse, v.Name, strings.Join(users, ", "))
	}
	err = s.removeBy(s.trash(), v.Name)
	if errors.Is(err, unix.EXDEV) {
		err = s.removeBy(s.dir, v.Name)
	}
	if err != nil {
		return fmt.Errorf("remove secret %s: %w", v.Name, err)
	}
	return nil
}

func (s *Store) removeBy(aim, name string) error {
	away, err := aside(aim)
	if err != nil {
		return err
	}
	err = os.Rename(filepath.Join(s.dir, name), filepath.Join(away, name))
	return errors.Join(err, os.RemoveAll(away))
}
