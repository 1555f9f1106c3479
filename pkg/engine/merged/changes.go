package merged

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is what happened to a path, in docker's letters.
type Kind byte

// The kinds of change.
const (
	Changed Kind = 'C'
	Added   Kind = 'A'
	Deleted Kind = 'D'
)

// Change is one path that a container has changed.
type Change struct {
	Kind Kind
	Path string // from the root, "/etc/passwd"
}

func (c Change) String() string { return fmt.Sprintf("%c %s", c.Kind, c.Path) }

// Changes compares what a container has written, its upper directory, with the
// layers below it (the topmost first). Parents stand in front of what is in
// them. A directory that holds changes is itself changed when names in it have
// come or gone, as in any file system.
func Changes(upper string, lower ...string) ([]Change, error) {
	up, err := Open(upper)
	if err != nil {
		return nil, err
	}
	defer func() { _ = up.Close() }()
	low, err := Open(lower...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = low.Close() }()
	below, err := low.root()
	if err != nil {
		return nil, err
	}
	c := comparison{up: up, low: low, seen: map[string]bool{"/": true}}
	if err := c.dir(".", &below, false); err != nil {
		return nil, fmt.Errorf("compare a container with its image: %w", err)
	}
	slices.SortFunc(c.changes, func(a, b Change) int { return strings.Compare(order(a.Path), order(b.Path)) })
	return c.changes, nil
}

// order has a directory's names follow it at once: "/a/b" before "/a-b".
func order(p string) string { return strings.ReplaceAll(p, "/", "\x00") }

type comparison struct {
	up, low *View
	seen    map[string]bool // directories that are in the list, or need not be
	changes []Change
}

// dir compares a directory of the upper layer. below is what the lower layers
// have in its place, nil if that is no directory; opaque hides what is in that.
func (c *comparison) dir(name string, below *place, opaque bool) error {
	names, err := c.names(name)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := c.entry(path.Join(name, n), n, below); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	if !opaque || below == nil {
		return nil
	}
	hidden, err := c.low.names(*below)
	if err != nil {
		return err
	}
	for _, n := range hidden {
		_, err := c.low.child(*below, n)
		if err == nil && !slices.Contains(names, n) {
			c.add(Deleted, path.Join("/", name, n))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (c *comparison) names(name string) ([]string, error) {
	fd, err := c.up.open(0, name, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.ENOENT) {
		return nil, nil // the container is at work
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	list, err := f.Readdirnames(-1)
	if errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return list, err
}

func (c *comparison) entry(name, base string, below *place) error {
	fd, err := c.up.open(0, name, unix.O_PATH)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	var old *place
	if below != nil {
		p, err := c.low.child(*below, base)
		if err == nil {
			old = &p
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	full := "/" + name
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	switch {
	case isWhiteout(&st) && old != nil:
		c.add(Deleted, full)
	case isWhiteout(&st):
	case old == nil:
		if !ofEngine(full, &st) {
			c.add(Added, full)
		}
	case isDir && old.isDir() && sameDir(&st, &old.stat):
	case isDir && old.isDir() && sameButTime(&st, &old.stat) && c.gotEngineFile(full, old):
	default:
		c.change(full)
	}
	if !isDir {
		return nil
	}
	if old != nil && !old.isDir() {
		old = nil
	}
	return c.dir(name, old, isOpaque(fd))
}

// sameDir tells whether a directory is in the upper layer only because
// something below it is.
func sameDir(a, b *unix.Stat_t) bool {
	return sameButTime(a, b) && a.Mtim == b.Mtim
}

func sameButTime(a, b *unix.Stat_t) bool {
	return a.Mode == b.Mode && a.Uid == b.Uid && a.Gid == b.Gid
}

// gotEngineFile tells whether a place of ours was made in a directory, which is
// enough to give it another time. If names of the container's have come or gone
// in it, add notes that.
func (c *comparison) gotEngineFile(dir string, below *place) bool {
	for name := range engineFiles {
		if path.Dir(name) != dir {
			continue
		}
		var st unix.Stat_t
		fd, err := c.up.open(0, name[1:], unix.O_PATH)
		if err != nil {
			continue
		}
		err = unix.Fstat(fd, &st)
		_ = unix.Close(fd)
		if _, lerr := c.low.child(*below, path.Base(name)); err == nil && ofEngine(name, &st) && errors.Is(lerr, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

func (c *comparison) change(name string) {
	if !c.seen[name] {
		c.seen[name] = true
		c.changes = append(c.changes, Change{Changed, name})
	}
}

// add notes a name that has come or gone: its directory has changed too.
func (c *comparison) add(kind Kind, name string) {
	c.seen[name] = true
	c.changes = append(c.changes, Change{kind, name})
	c.change(path.Dir(name))
}

// engineFiles are the places where every container gets mounts. Where an image
// lacks them they are made, empty, and say nothing about the container.
var engineFiles = map[string]bool{
	"/dev": true, "/dev/pts": true, "/dev/shm": true, "/dev/mqueue": true, "/dev/console": true, "/proc": true, "/sys": true,
	"/etc": true, "/etc/hosts": true, "/etc/hostname": true, "/etc/resolv.conf": true, "/run/secrets": true,
}

func ofEngine(name string, st *unix.Stat_t) bool {
	kind := st.Mode & unix.S_IFMT
	return engineFiles[name] && (kind == unix.S_IFDIR || kind == unix.S_IFREG && st.Size == 0)
}
