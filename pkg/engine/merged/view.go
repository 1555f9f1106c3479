package merged

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links one path may go through, the kernel's
// own number.
const maxLinks = 40

// View is a stack of layers, seen as overlayfs would show it.
type View struct{ layers []int }

// Open opens the layers, given as overlayfs's lowerdir takes them: the topmost
// first. A running container's upper directory may be one.
func Open(layers ...string) (*View, error) {
	v := &View{}
	for _, dir := range layers {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			_ = v.Close()
			return nil, fmt.Errorf("open layer %s: %w", dir, err)
		}
		v.layers = append(v.layers, fd)
	}
	return v, nil
}

// Close closes the layers.
func (v *View) Close() error {
	var errs []error
	for _, fd := range v.layers {
		errs = append(errs, unix.Close(fd))
	}
	v.layers = nil
	return errors.Join(errs...)
}

// place is one name of the tree: where it is and which layers show it.
type place struct {
	path   string      // in every layer, without a leading slash; "." is the root
	layers []int       // indexes into View.layers; one unless it is a directory
	stat   unix.Stat_t // in the topmost of them
}

func (p *place) kind() uint32 { return p.stat.Mode & unix.S_IFMT }
func (p *place) isDir() bool  { return p.kind() == unix.S_IFDIR }

func (v *View) root() (place, error) {
	p := place{path: "."}
	for i := range v.layers {
		p.layers = append(p.layers, i)
	}
	if len(v.layers) == 0 {
		return p, fs.ErrNotExist
	}
	return p, unix.Fstat(v.layers[0], &p.stat)
}

// open opens path in one layer without following any link.
func (v *View) open(layer int, path string, flags int) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | unix.O_NOFOLLOW | unix.O_CLOEXEC),
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(v.layers[layer], path, &how)
		if err != unix.EINTR && err != unix.EAGAIN { // EAGAIN: a rename got in the way
			return fd, err
		}
	}
}

// child finds a name in a directory by overlayfs's rules.
func (v *View) child(dir place, name string) (place, error) {
	p := place{path: name}
	if dir.path != "." {
		p.path = dir.path + "/" + name
	}
	for _, layer := range dir.layers {
		fd, err := v.open(layer, p.path, unix.O_PATH)
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			return p, err
		}
		last, err := p.see(layer, fd)
		_ = unix.Close(fd)
		if err != nil {
			return p, err
		}
		if last {
			break
		}
	}
	if len(p.layers) == 0 {
		return p, fs.ErrNotExist
	}
	return p, nil
}

// see takes into account what a layer has under the name; last says that it
// hides all layers below.
func (p *place) see(layer, fd int) (last bool, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return true, err
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	switch {
	case isWhiteout(&st):
		return true, nil
	case len(p.layers) > 0 && !isDir:
		return true, nil
	}
	if len(p.layers) == 0 {
		p.stat = st
	}
	p.layers = append(p.layers, layer)
	return !isDir || isOpaque(fd), nil
}

func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}

// isOpaque asks through /proc because fgetxattr refuses O_PATH descriptors.
func isOpaque(fd int) bool {
	var value [1]byte
	n, err := unix.Getxattr(procPath(fd), "trusted.overlay.opaque", value[:])
	return err == nil && n == 1 && value[0] == 'y'
}

func procPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// walk resolves a path; with follow a link at its end is followed too.
func (v *View) walk(path string, follow bool) (place, error) {
	at, err := v.root()
	if err != nil {
		return at, err
	}
	up := []place{}
	todo := split(path)
	for links := 0; len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		if name == ".." {
			if n := len(up); n > 0 {
				at, up = up[n-1], up[:n-1]
			}
			continue
		}
		if !at.isDir() {
			return at, unix.ENOTDIR
		}
		next, err := v.child(at, name)
		if err != nil {
			return next, err
		}
		if next.kind() != unix.S_IFLNK || len(todo) == 0 && !follow {
			at, up = next, append(up, at)
			continue
		}
		if links++; links > maxLinks {
			return next, unix.ELOOP
		}
		target, err := v.readlink(next)
		if err != nil {
			return next, err
		}
		if strings.HasPrefix(target, "/") {
			up = up[:0]
			if at, err = v.root(); err != nil {
				return at, err
			}
		}
		todo = append(split(target), todo...)
	}
	return at, nil
}

// split lists a path's names; a path's leading slash means nothing here.
func split(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(s string) bool { return s == "" || s == "." })
}

func (v *View) readlink(p place) (string, error) {
	fd, err := v.open(p.layers[0], p.path, unix.O_PATH)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(fd) }()
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// ReadFile reads a regular file of at most limit bytes.
func (v *View) ReadFile(path string, limit int64) ([]byte, error) {
	data, err := v.readFile(path, limit)
	if err != nil {
		return nil, &fs.PathError{Op: "read in the image", Path: path, Err: err}
	}
	return data, nil
}

func (v *View) readFile(path string, limit int64) ([]byte, error) {
	p, err := v.walk(path, true)
	if err != nil {
		return nil, err
	}
	// Only a regular file: opening a fifo would wait, opening a device act.
	if p.kind() != unix.S_IFREG {
		return nil, errors.New("not a regular file")
	}
	f, err := v.openFile(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = syscall.EFBIG
	}
	return data, err
}

func (v *View) openFile(p place) (*os.File, error) {
	fd, err := v.open(p.layers[0], p.path, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), p.path), nil
}

// names lists a merged directory, sorted.
func (v *View) names(p place) ([]string, error) {
	var names []string
	for _, layer := range p.layers {
		fd, err := v.open(layer, p.path, unix.O_RDONLY|unix.O_DIRECTORY)
		if errors.Is(err, unix.ENOENT) {
			continue // the container is at work
		}
		if err != nil {
			return nil, err
		}
		f := os.NewFile(uintptr(fd), p.path)
		list, err := f.Readdirnames(-1)
		_ = f.Close()
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, err
		}
		names = append(names, list...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
