package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Options say how Extract treats what it finds.
type Options struct {
	// Owner, if it is not nil, owns all that is made, in place of the owners
	// that the stream names.
	Owner *Owner
	// IDs are who the owners are on the host, for a running container with a
	// user namespace.
	IDs IDs
	// Rename gives an entry another name; nil leaves all as they are.
	Rename func(string) string
	// Replace lets a file take a directory's place and the other way round.
	Replace bool
}

// Owner is a user and a group.
type Owner struct{ UID, GID int }

// Extract lays the entries of a tar stream below the directory dir of root,
// which is "/" to every path and every link on the way. What is there already
// is replaced, but directories are kept and added to. It returns the number of
// bytes that files were given.
func Extract(ctx context.Context, r io.Reader, root int, dir string, o Options) (int64, error) {
	x := &extractor{ctx: ctx, root: root, dir: dir, Options: o}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return x.written, x.finish()
		}
		if err != nil {
			return x.written, fmt.Errorf("read tar: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return x.written, err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := x.entry(h, tr); err != nil {
			return x.written, fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

type extractor struct {
	ctx  context.Context
	root int
	dir  string
	Options

	written int64
	times   []dirTime // set at the end: each new entry touches its directory
}

type dirTime struct {
	name string
	at   time.Time
}

// name is where an entry belongs, below dir.
func (x *extractor) name(name string) (string, error) {
	if x.Rename != nil {
		name = x.Rename(name)
	}
	name = path.Clean(strings.TrimLeft(name, "/"))
	if name == ".." || strings.HasPrefix(name, "../") || strings.ContainsRune(name, 0) {
		return "", errors.New("the name leads out of the archive")
	}
	return name, nil
}

func (x *extractor) entry(h *tar.Header, content io.Reader) error {
	name, err := x.name(h.Name)
	if err != nil {
		return err
	}
	if name == "." { // the directory itself: it is there, and keeps what it is
		return nil
	}
	parentName, base := path.Split(name)
	parent, err := MakeDir(x.root, path.Join(x.dir, parentName))
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(parent) }()
	kept, err := x.clear(parent, base, h)
	if err == nil && !kept {
		err = x.create(parent, base, h, content)
	}
	if err == nil {
		err = x.attributes(parent, base, h)
	}
	if err == nil && h.Typeflag == tar.TypeDir {
		x.times = append(x.times, dirTime{path.Join(x.dir, name), h.ModTime})
	}
	return err
}

// clear makes room for an entry. It reports true for a directory that is there
// already.
func (x *extractor) clear(parent int, base string, h *tar.Header) (kept bool, err error) {
	var st unix.Stat_t
	err = unix.Fstatat(parent, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	wantDir := h.Typeflag == tar.TypeDir
	switch {
	case isDir && wantDir:
		return true, nil
	case isDir && !x.Replace:
		return false, fmt.Errorf("cannot overwrite directory %q with non-directory %q", "/"+path.Join(x.dir, base), x.dir)
	case wantDir && !x.Replace:
		return false, fmt.Errorf("cannot overwrite non-directory %q with directory %q", "/"+path.Join(x.dir, base), x.dir)
	case isDir:
		return false, os.RemoveAll(self(parent) + "/" + base)
	}
	return false, unix.Unlinkat(parent, base, 0)
}

func (x *extractor) create(parent int, base string, h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return unix.Mkdirat(parent, base, 0o700)
	case tar.TypeReg, tar.TypeGNUSparse:
		return x.file(parent, base, content)
	case tar.TypeSymlink:
		return unix.Symlinkat(h.Linkname, parent, base)
	case tar.TypeLink:
		return x.link(parent, base, h)
	case tar.TypeFifo:
		return unix.Mknodat(parent, base, unix.S_IFIFO|0o600, 0)
	case tar.TypeChar, tar.TypeBlock:
		kind := uint32(unix.S_IFCHR)
		if h.Typeflag == tar.TypeBlock {
			kind = unix.S_IFBLK
		}
		return unix.Mknodat(parent, base, kind|0o600, int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))))
	}
	return fmt.Errorf("unknown type %q", h.Typeflag)
}

func (x *extractor) file(parent int, base string, content io.Reader) error {
	fd, err := child(parent, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), base)
	n, err := io.Copy(f, &patient{x.ctx, content})
	x.written += n
	return errors.Join(err, f.Close())
}

// link makes another name for an entry of this stream.
func (x *extractor) link(parent int, base string, h *tar.Header) error {
	target, err := x.name(h.Linkname)
	if err != nil {
		return err
	}
	fd, err := InRoot(x.root, path.Join(x.dir, target), unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return fmt.Errorf("link to %s: %w", h.Linkname, err)
	}
	defer func() { _ = unix.Close(fd) }()
	return unix.Linkat(unix.AT_FDCWD, self(fd), parent, base, unix.AT_SYMLINK_FOLLOW)
}

// attributes gives an entry its owner first, for a change of owner takes the
// set-uid bit and capabilities away, and its time last.
func (x *extractor) attributes(parent int, base string, h *tar.Header) error {
	if h.Typeflag == tar.TypeLink {
		return nil
	}
	fd, err := child(parent, base, unix.O_PATH)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	owner := Owner{h.Uid, h.Gid}
	if x.Owner != nil {
		owner = *x.Owner
	}
	if owner, err = x.IDs.outside(owner); err != nil {
		return err
	}
	if err := unix.Fchownat(fd, "", owner.UID, owner.GID, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("set owner %d:%d: %w", owner.UID, owner.GID, err)
	}
	if h.Typeflag == tar.TypeSymlink {
		return unix.UtimesNanoAt(parent, base, stamps(h.ModTime), unix.AT_SYMLINK_NOFOLLOW)
	}
	if err := unix.Chmod(self(fd), uint32(h.Mode)&0o7777); err != nil {
		return fmt.Errorf("set mode %o: %w", h.Mode, err)
	}
	if err := setXattrs(fd, h); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, self(fd), stamps(h.ModTime), 0)
}

func setXattrs(fd int, h *tar.Header) error {
	for record, value := range h.PAXRecords {
		name, ok := strings.CutPrefix(record, paxXattr)
		if !ok || !kept(name) {
			continue
		}
		err := unix.Setxattr(self(fd), name, []byte(value), 0)
		if err != nil && !errors.Is(err, unix.ENOTSUP) && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("set attribute %s: %w", name, err)
		}
	}
	return nil
}

func stamps(t time.Time) []unix.Timespec {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	ts := unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
	return []unix.Timespec{ts, ts}
}

// finish sets the directories' times, now that nothing is added to them. The
// last one first: a parent's comes after its children's.
func (x *extractor) finish() error {
	for i := len(x.times) - 1; i >= 0; i-- {
		d := x.times[i]
		fd, err := InRoot(x.root, d.name, unix.O_PATH|unix.O_NOFOLLOW)
		if errors.Is(err, unix.ENOENT) {
			continue // the program in the container has removed it
		}
		if err != nil {
			return err
		}
		err = unix.UtimesNanoAt(unix.AT_FDCWD, self(fd), stamps(d.at), 0)
		_ = unix.Close(fd)
		if err != nil {
			return fmt.Errorf("set times of %s: %w", d.name, err)
		}
	}
	return nil
}
