package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/engine/archive"
)

// PathStat describes a file of a container: docker's answer to the same
// question, field by field.
type PathStat struct {
	Name       string      `json:"name"`
	Size       int64       `json:"size"`
	Mode       fs.FileMode `json:"mode"`
	Mtime      time.Time   `json:"mtime"`
	LinkTarget string      `json:"linkTarget"`
}

// NoFileError is a path that a container does not have.
type NoFileError struct{ Path, Container string }

func (e *NoFileError) Error() string {
	return fmt.Sprintf("Could not find the file %s in container %s", e.Path, e.Container)
}

// fileError gives errors of paths in a container docker's words.
func fileError(c *Container, name string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return &NoFileError{name, c.Name}
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%s in container %s is on a file system that is marked read-only: %w", name, c.Name, err)
	}
	return fmt.Errorf("%s in container %s: %w", name, c.Name, err)
}

// StatPath looks at a file of a container. A link is not followed, unless the
// path ends with a slash.
func (e *Engine) StatPath(ctx context.Context, c *Container, name string) (PathStat, error) {
	var stat PathStat
	err := e.openRoot(ctx, c, func(root int, _ archive.IDs) error {
		fd, err := archive.InRoot(root, name, unix.O_PATH|unix.O_NOFOLLOW)
		if err != nil {
			return fileError(c, name, err)
		}
		defer func() { _ = unix.Close(fd) }()
		stat, err = statPath(fd, name)
		return err
	})
	return stat, err
}

func statPath(fd int, name string) (PathStat, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return PathStat{}, err
	}
	s := PathStat{Name: path.Base(name), Size: st.Size, Mtime: time.Unix(st.Mtim.Sec, st.Mtim.Nsec), Mode: fs.FileMode(st.Mode & 0o777)}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		s.Mode |= fs.ModeDir
	case unix.S_IFLNK:
		s.Mode |= fs.ModeSymlink
		target, err := archive.Readlink(fd)
		if err != nil {
			return s, err
		}
		if s.LinkTarget = target; !path.IsAbs(target) {
			s.LinkTarget = path.Join("/", path.Dir(name), target)
		}
	case unix.S_IFIFO:
		s.Mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		s.Mode |= fs.ModeSocket
	case unix.S_IFCHR:
		s.Mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		s.Mode |= fs.ModeDevice
	}
	return s, nil
}

// CopyFrom writes a file or tree of a container to w, as a tar stream whose
// entries begin with the path's last name; with "." where it ends in "/.". It
// tells found what it is before the first byte.
func (e *Engine) CopyFrom(ctx context.Context, c *Container, name string, w io.Writer, found func(PathStat) error) error {
	return e.openRoot(ctx, c, func(root int, ids archive.IDs) error {
		fd, err := archive.InRoot(root, name, unix.O_PATH|unix.O_NOFOLLOW)
		if err != nil {
			return fileError(c, name, err)
		}
		defer func() { _ = unix.Close(fd) }()
		if archive.OfKernel(fd) {
			return fmt.Errorf("%s in container %s is no file but an answer of the kernel: read it with exec", name, c.Name)
		}
		stat, err := statPath(fd, name)
		if err == nil {
			err = found(stat)
		}
		if err != nil {
			return err
		}
		out := archive.NewWriter(ctx, w)
		out.IDs = ids
		if err := out.Below(fd, entryName(name)); err != nil {
			return err
		}
		e.tell(c, "archive-path", nil)
		return out.Close()
	})
}

// entryName is what the entries of a copy of name begin with.
func entryName(name string) string {
	if strings.HasSuffix(name, "/.") || name == "." {
		return "."
	}
	if base := path.Base(name); base != "/" {
		return base
	}
	return "."
}

// CopyTo lays the entries of a tar stream below a directory of the container,
// and returns the number of bytes that its files were given.
func (e *Engine) CopyTo(ctx context.Context, c *Container, dir string, r io.Reader, o archive.Options) (int64, error) {
	var n int64
	err := e.openRoot(ctx, c, func(root int, ids archive.IDs) error {
		fd, err := archive.InRoot(root, dir, unix.O_PATH)
		if err != nil {
			return fileError(c, dir, err)
		}
		defer func() { _ = unix.Close(fd) }()
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return fmt.Errorf("extraction point is not a directory: %s in container %s", dir, c.Name)
		}
		o.IDs = ids
		if n, err = archive.Extract(ctx, r, root, dir, o); err == nil {
			e.tell(c, "extract-to-dir", nil)
		}
		if errors.Is(err, unix.EROFS) {
			err = fileError(c, dir, err)
		}
		return err
	})
	return n, err
}
