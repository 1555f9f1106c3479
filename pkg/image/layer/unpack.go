package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Unpack reads a tar stream and lays its entries under dir, which must exist.
// The tree is complete only if the error is nil. It reads to the archive's end
// mark; what follows stays in r.
func Unpack(ctx context.Context, r io.Reader, dir string, limits Limits) (Usage, error) {
	u, err := newUnpacker(ctx, dir, limits)
	if err != nil {
		return Usage{}, err
	}
	defer u.root.close()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return u.budget.Used, u.finish()
		}
		if err != nil {
			return u.budget.Used, fmt.Errorf("read tar: %w", err)
		}
		if err := u.entry(h, tr); err != nil {
			return u.budget.Used, fmt.Errorf("entry %q: %w", h.Name, err)
		}
	}
}

type unpacker struct {
	ctx    context.Context
	root   *root
	budget Budget
	dirs   map[string]times // set at the end: each new entry touches its directory
	buf    []byte
}

type times [2]unix.Timespec // access, modification

func newUnpacker(ctx context.Context, dir string, limits Limits) (*unpacker, error) {
	free, err := FreeBudget(dir)
	if err != nil {
		return nil, err
	}
	budget := Budget{Limits: limits, disk: limits == Limits{}}
	if limits.Bytes == 0 {
		budget.Bytes = free.Bytes
	}
	if limits.Entries == 0 {
		budget.Entries = free.Entries
	}
	r, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	return &unpacker{ctx: ctx, root: r, budget: budget, dirs: map[string]times{}, buf: make([]byte, 256<<10)}, nil
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	if err := u.ctx.Err(); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil // comments such as git's, no entry
	}
	if err := u.budget.Charge(h); err != nil {
		return err
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	if name == "." {
		return u.top(h)
	}
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	if done, err := u.whiteout(dir, base); done || err != nil {
		return err
	}
	parent, err := u.root.makeDir(dir)
	if err != nil {
		return err
	}
	if err := u.place(parent, base, name, h, content); err != nil {
		return err
	}
	return u.attributes(parent, base, name, h)
}

// top is the entry for the layer's root directory, which exists already.
func (u *unpacker) top(h *tar.Header) error {
	if h.Typeflag != tar.TypeDir {
		return fmt.Errorf("the layer's root is not a directory but type %q", h.Typeflag)
	}
	return u.attributes(u.root.fd, ".", ".", h)
}

// place makes the entry, replacing what an earlier entry left there. Only a
// directory over a directory is kept and gets new attributes.
func (u *unpacker) place(parent int, base, name string, h *tar.Header, content io.Reader) error {
	err := u.create(parent, base, h, content)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	old, err := lstatAt(parent, base)
	if err != nil {
		return err
	}
	oldIsDir := old.Mode&unix.S_IFMT == unix.S_IFDIR
	if oldIsDir && h.Typeflag == tar.TypeDir {
		return nil
	}
	if h.Typeflag == tar.TypeLink { // a link to itself must not delete its target first
		if same, err := u.linksTo(h, old); same || err != nil {
			return err
		}
	}
	if err := u.root.remove(parent, base); err != nil {
		return fmt.Errorf("replace an earlier entry: %w", err)
	}
	if oldIsDir {
		u.forgetTimes(name)
	}
	if err := u.create(parent, base, h, content); err != nil {
		return err
	}
	if isWhiteout(old) && h.Typeflag == tar.TypeDir {
		return setOpaque(parent, base)
	}
	return nil
}

func (u *unpacker) forgetTimes(name string) {
	delete(u.dirs, name)
	for d := range u.dirs {
		if strings.HasPrefix(d, name+"/") {
			delete(u.dirs, d)
		}
	}
}

// create makes base in parent; EEXIST when something is there.
func (u *unpacker) create(parent int, base string, h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return unix.Mkdirat(parent, base, 0o755)
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(parent, base, content)
	case tar.TypeSymlink:
		return unix.Symlinkat(h.Linkname, parent, base) // content only: never followed outside
	case tar.TypeLink:
		return u.link(parent, base, h)
	case tar.TypeFifo:
		return unix.Mknodat(parent, base, unix.S_IFIFO|0o600, 0)
	case tar.TypeChar, tar.TypeBlock:
		return device(parent, base, h)
	default:
		return fmt.Errorf("unknown entry type %q", h.Typeflag)
	}
}

func device(parent int, base string, h *tar.Header) error {
	kind := uint32(unix.S_IFCHR)
	if h.Typeflag == tar.TypeBlock {
		kind = unix.S_IFBLK
	}
	if h.Devmajor < 0 || h.Devmajor >= 1<<12 || h.Devminor < 0 || h.Devminor >= 1<<20 { // the kernel's dev_t
		return fmt.Errorf("device number %d:%d does not exist", h.Devmajor, h.Devminor)
	}
	dev := unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor))
	return unix.Mknodat(parent, base, kind|0o600, int(dev))
}

// file writes the content with plain system calls: os.File would register
// each of thousands of descriptors with the poller first.
func (u *unpacker) file(parent int, base string, content io.Reader) (err error) {
	fd, err := unix.Openat(parent, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	for {
		n, err := content.Read(u.buf)
		if werr := writeAll(fd, u.buf[:n]); werr != nil {
			return fmt.Errorf("write: %w", werr)
		}
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = u.ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("read content: %w", err)
		}
	}
}

func writeAll(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// link makes a hard link to an entry of this layer. Both names are looked up
// inside; the last one is linked itself even if it is a symbolic link.
func (u *unpacker) link(parent int, base string, h *tar.Header) error {
	return u.atTarget(h, func(dir int, target string, _ *unix.Stat_t) error {
		return unix.Linkat(dir, target, parent, base, 0)
	})
}

func (u *unpacker) linksTo(h *tar.Header, old *unix.Stat_t) (same bool, err error) {
	err = u.atTarget(h, func(_ int, _ string, st *unix.Stat_t) error {
		same = st.Dev == old.Dev && st.Ino == old.Ino
		return nil
	})
	return same, err
}

func (u *unpacker) atTarget(h *tar.Header, do func(dir int, base string, st *unix.Stat_t) error) error {
	target, err := cleanName(h.Linkname)
	if err != nil {
		return fmt.Errorf("hard link to %w", err)
	}
	dir, base := path.Split(target)
	// Not root.dir: the entry's own parent is in use.
	fd, err := u.root.resolve(path.Clean("./" + dir))
	if err != nil {
		return fmt.Errorf("hard link to %q, which this layer does not hold: %w", h.Linkname, err)
	}
	defer func() { _ = unix.Close(fd) }()
	st, err := lstatAt(fd, base)
	if err == nil && isWhiteout(st) {
		err = unix.ENOENT
	}
	if err != nil {
		return fmt.Errorf("hard link to %q, which this layer does not hold: %w", h.Linkname, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fmt.Errorf("hard link to the directory %q", h.Linkname)
	}
	return do(fd, base, st)
}

// finish sets the directories' times, now that nothing is added to them.
func (u *unpacker) finish() error {
	for name, ts := range u.dirs {
		dir, base := path.Split(name)
		parent, err := u.root.dir(path.Clean("./" + dir))
		if err == nil {
			err = setTimes(parent, base, ts)
		}
		if err != nil {
			return fmt.Errorf("set times of %s: %w", name, err)
		}
	}
	return nil
}

func entryTimes(h *tar.Header) times {
	access := h.AccessTime
	if access.IsZero() {
		access = h.ModTime
	}
	return times{timespec(access), timespec(h.ModTime)}
}

func timespec(t time.Time) unix.Timespec {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

func setTimes(parent int, base string, ts times) error {
	return unix.UtimesNanoAt(parent, base, ts[:], unix.AT_SYMLINK_NOFOLLOW)
}
