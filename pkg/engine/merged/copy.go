package merged

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// CopyDir copies the content of the view's directory path into the directory
// dst, and gives dst its owner, mode and times. It reports false, and does
// nothing, when there is no directory of that path. dst must be ours alone
// until the copy is done.
func (v *View) CopyDir(path, dst string) (bool, error) {
	p, err := v.walk(path, true)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || err == nil && !p.isDir() {
		return false, nil
	}
	if err == nil {
		c := copier{v: v, seen: make(map[inode]string)}
		err = c.dir(p, dst)
	}
	if err != nil {
		return false, fmt.Errorf("copy %s of the image to %s: %w", path, dst, err)
	}
	return true, nil
}

// copier is one copy under way.
type copier struct {
	v    *View
	seen map[inode]string // files with several names, and where the first was copied to
}

type inode struct{ dev, ino uint64 }

func (c *copier) dir(p place, dst string) error {
	names, err := c.v.names(p)
	if err != nil {
		return err
	}
	for _, name := range names {
		child, err := c.v.child(p, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a whiteout
		}
		if err == nil {
			err = c.entry(child, filepath.Join(dst, name))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return c.attributes(p, dst) // last: adding names changes a directory's times
}

func (c *copier) entry(p place, dst string) error {
	id := inode{p.stat.Dev, p.stat.Ino}
	if !p.isDir() && p.stat.Nlink > 1 {
		if first, ok := c.seen[id]; ok {
			return os.Link(first, dst)
		}
		c.seen[id] = dst
	}
	var err error
	switch p.kind() {
	case unix.S_IFDIR:
		if err := os.Mkdir(dst, 0o700); err != nil {
			return err
		}
		return c.dir(p, dst)
	case unix.S_IFREG:
		err = c.file(p, dst)
	case unix.S_IFLNK:
		var target string
		if target, err = c.v.readlink(p); err == nil {
			err = os.Symlink(target, dst)
		}
	default:
		err = unix.Mknod(dst, p.stat.Mode&unix.S_IFMT|0o600, int(p.stat.Rdev))
	}
	if err != nil {
		return err
	}
	return c.attributes(p, dst)
}

func (c *copier) file(p place, dst string) error {
	in, err := c.v.openFile(p)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in) // copy_file_range(2) where the file system can share blocks
	return errors.Join(err, out.Close())
}

// attributes gives dst what it has in the view: owner first, since a change of
// owner takes set-uid bits and capabilities away; times last.
func (c *copier) attributes(p place, dst string) error {
	if err := os.Lchown(dst, int(p.stat.Uid), int(p.stat.Gid)); err != nil {
		return err
	}
	if err := c.xattrs(p, dst); err != nil {
		return err
	}
	if p.kind() != unix.S_IFLNK {
		if err := unix.Chmod(dst, p.stat.Mode&0o7777); err != nil {
			return err
		}
	}
	times := []unix.Timespec{p.stat.Atim, p.stat.Mtim}
	return unix.UtimesNanoAt(unix.AT_FDCWD, dst, times, unix.AT_SYMLINK_NOFOLLOW)
}

func (c *copier) xattrs(p place, dst string) error {
	if p.kind() == unix.S_IFLNK {
		return nil
	}
	fd, err := c.v.open(p.layers[0], p.path, unix.O_PATH)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	list := make([]byte, 64<<10) // the most that listxattr(2) returns
	n, err := unix.Listxattr(procPath(fd), list)
	if err != nil {
		if err == unix.ENOTSUP {
			return nil
		}
		return fmt.Errorf("list extended attributes: %w", err)
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(string(list[:n]), "\x00") {
		if name == "" || strings.HasPrefix(name, "trusted.overlay.") {
			continue
		}
		n, err := unix.Getxattr(procPath(fd), name, value)
		if err == nil {
			err = unix.Lsetxattr(dst, name, value[:n], 0)
		}
		if err != nil && err != unix.ENOTSUP && err != unix.ENODATA {
			return fmt.Errorf("extended attribute %s: %w", name, err)
		}
	}
	return nil
}
