package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// Record is a container as it is known.
type Record struct {
	ID     string
	Name   string          // "" if it has lost its name
	Config json.RawMessage // container.json
	State  State
}

// Load reads the record of a container by its ID.
func Load(d Dirs, id string) (*Record, error) {
	byID, err := names(d)
	if err != nil {
		return nil, err
	}
	return load(d, id, byID)
}

// Find is Load for a name, an ID, or the beginning of one (Resolve).
func Find(d Dirs, ref string) (*Record, error) {
	id, err := Resolve(d, ref)
	if err != nil {
		return nil, err
	}
	return LoadNamed(d, id, ref)
}

// LoadNamed is Load for who has a guess of the container's name: if it is right,
// the names of all others need not be read.
func LoadNamed(d Dirs, id, guess string) (*Record, error) {
	if !isNamed(d, id, guess) {
		return Load(d, id)
	}
	return load(d, id, map[string]string{id: guess})
}

func load(d Dirs, id string, byID map[string]string) (*Record, error) {
	config, err := kernel.Load(d.config(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, &NotFoundError{id}
	}
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EIO) {
		config, err = nil, nil // damage: one container's must not hide the others
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of container %.12s: %w", id, err)
	}
	state, err := ReadState(d.Container(id))
	if err != nil {
		return nil, &NotFoundError{id} // it was removed while we looked
	}
	return &Record{id, byID[id], config, state}, nil
}

// List reads all containers' records, in no particular order. A container
// that comes or goes meanwhile is in the list or not.
func List(d Dirs) ([]Record, error) {
	f, err := os.Open(d.containers())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the containers: %w", err)
	}
	defer f.Close()
	ids, err := f.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list the containers: %w", err)
	}
	byID, err := names(d)
	if err != nil {
		return nil, err
	}
	loaded := make([]*Record, len(ids))
	errs := make([]error, len(ids))
	InParallel(len(ids), func(i int) { loaded[i], errs[i] = load(d, ids[i], byID) })
	list := make([]Record, 0, len(ids))
	for i, err := range errs {
		var missing *NotFoundError
		if errors.As(err, &missing) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, *loaded[i])
	}
	return list, nil
}

// Marker tells that somebody is at work on a container who may be killed half
// way: a locked file. It is one more thing that is there before what it covers,
// and goes after it. If nobody holds its lock any more, [Sweep] sees to it.
type Marker struct {
	File *os.File // whoever inherits it holds the lock too
	path string
}

// Mark makes the marker of container id.
func Mark(d Dirs, id string) (*Marker, error) {
	if err := makeDirs(d.reserved()); err != nil {
		return nil, err
	}
	// Between making and locking it somebody who sweeps may take it for a dead
	// process's, and remove it.
	file, err := lockFile(d.marker(id), os.O_CREATE)
	for errors.Is(err, os.ErrNotExist) || errors.Is(err, ErrHeld) {
		time.Sleep(100 * time.Microsecond)
		file, err = lockFile(d.marker(id), os.O_CREATE)
	}
	if err != nil {
		return nil, fmt.Errorf("reserve container %.12s: %w", id, err)
	}
	return &Marker{file, d.marker(id)}, nil
}

// Done removes the marker.
func (m *Marker) Done() error { return errors.Join(ignoreMissing(os.Remove(m.path)), m.File.Close()) }

// Reservation is a container that is being made: it has a directory and a
// name, and nobody sees it yet.
type Reservation struct {
	dirs   Dirs
	id     string
	marker *Marker
}

// Reserve makes the directory of container id and gives it its name, which
// fails with a *NameError if that is taken. If this process dies before it
// says Commit, [Sweep] removes what it made.
func Reserve(d Dirs, id, name string) (*Reservation, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if err := makeDirs(d.containers()); err != nil {
		return nil, err
	}
	marker, err := Mark(d, id)
	if err != nil {
		return nil, err
	}
	r := &Reservation{d, id, marker}
	if err := os.Mkdir(d.Container(id), private); err != nil {
		return nil, errors.Join(fmt.Errorf("make the container's directory: %w", err), r.done())
	}
	if err := claim(d, name, id); err != nil {
		return nil, errors.Join(err, r.Abandon())
	}
	return r, nil
}

// Dir is the container's directory, to be filled before Commit.
func (r *Reservation) Dir() string { return r.dirs.Container(r.id) }

// Commit writes container.json and the first state, and with that the
// container exists.
func (r *Reservation) Commit(config json.RawMessage) error {
	if err := WriteState(r.Dir(), State{Status: Created}); err != nil {
		return err
	}
	if err := writeFile(r.dirs.config(r.id), config); err != nil {
		return err
	}
	return r.done()
}

// Abandon removes what Reserve made. After Commit it does nothing.
func (r *Reservation) Abandon() error {
	if r.marker == nil {
		return nil
	}
	return errors.Join(Remove(r.dirs, r.id), r.done())
}

func (r *Reservation) done() error {
	err := r.marker.Done()
	r.marker = nil
	return err
}

// Update replaces container.json.
func Update(d Dirs, id string, config json.RawMessage) error {
	return writeFile(d.config(id), config)
}

// Remove removes a container: its name, its directory, its run directory. The
// directory vanishes at once; deleting its files may take a while. The caller
// has made sure that the container does not run. Removing what is not there is
// no error.
func Remove(d Dirs, id string) error {
	finish, err := Vanish(d, id)
	if err != nil {
		return err
	}
	return finish()
}

// Vanish is the part of Remove that others notice; finish deletes the files.
func Vanish(d Dirs, id string) (finish func() error, err error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if err := makeDirs(d.trash()); err != nil {
		return nil, err
	}
	trash := d.discarded(id)
	if err := ignoreMissing(os.Rename(d.Container(id), trash)); err != nil {
		return nil, fmt.Errorf("remove container %.12s: %w", id, err)
	}
	err = errors.Join(release(d, id), removeRunDir(d, id))
	return func() error {
		if err := os.RemoveAll(trash); err != nil {
			return fmt.Errorf("delete the files of container %.12s: %w", id, err)
		}
		return nil
	}, err
}

// removeRunDir removes a container's run directory: the lock last, for with it
// the directory is somebody else's, who may begin to use it at once (see Hold).
// What they have put there makes rmdir fail, and stays.
func removeRunDir(d Dirs, id string) error {
	dir, lock := d.RunDir(id), d.lock(id)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ignoreMissing(err)
	}
	var errs []error
	for _, e := range entries {
		if e.Name() != filepath.Base(lock) {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	errs = append(errs, ignoreMissing(os.Remove(lock)))
	if err := os.Remove(dir); !errors.Is(err, unix.ENOTEMPTY) {
		errs = append(errs, ignoreMissing(err))
	}
	return errors.Join(errs...)
}

// Sweep deletes what processes that were killed have left half made or half
// deleted. forget is told of every container that somebody was killed at, while
// no shim looks after it. While there is nothing, this costs two looks at empty
// directories.
func Sweep(d Dirs, forget func(id string) error) error {
	return errors.Join(sweepReserved(d, forget), sweepTrash(d))
}

func sweepReserved(d Dirs, forget func(id string) error) error {
	entries, err := os.ReadDir(d.reserved())
	if ignoreMissing(err) != nil {
		return fmt.Errorf("look for half-made containers: %w", err)
	}
	var errs []error
	for _, e := range entries {
		file, err := lockFile(d.marker(e.Name()), 0)
		if err != nil {
			continue // its maker lives, or is just done
		}
		marker, id := &Marker{file, d.marker(e.Name())}, e.Name()
		if !exists(d, id) {
			errs = append(errs, Remove(d, id))
		}
		if !held(d, id) {
			errs = append(errs, forget(id))
		}
		errs = append(errs, marker.Done())
	}
	return errors.Join(errs...)
}

func sweepTrash(d Dirs) error {
	entries, err := os.ReadDir(d.trash())
	if ignoreMissing(err) != nil {
		return fmt.Errorf("look for half-deleted containers: %w", err)
	}
	var errs []error
	for _, e := range entries {
		deleter := e.Name()[strings.LastIndexByte(e.Name(), '.')+1:]
		if _, err := os.Lstat("/proc/" + deleter); err == nil && deleter != "" {
			continue // somebody is at it
		}
		errs = append(errs, os.RemoveAll(d.trash()+"/"+e.Name()))
	}
	return errors.Join(errs...)
}
