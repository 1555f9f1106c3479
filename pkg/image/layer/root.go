package layer

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrEscape marks an entry that points outside of its layer.
var ErrEscape = errors.New("leads outside of the layer")

// cleanName turns an entry's name into a path relative to the layer's top:
// "." for the top itself. Absolute names are taken from the top.
func cleanName(name string) (string, error) {
	if strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("name %q holds a zero byte", name)
	}
	clean := path.Clean(strings.TrimLeft(name, "/"))
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("%q %w", name, ErrEscape)
	}
	return clean, nil
}

// root is a directory that no path leads out of. It remembers the last parent
// directory it opened, since the entries of a tar come directory by directory.
type root struct {
	fd       int
	parent   string // "" when nothing is remembered
	parentFD int
}

func openRoot(dir string) (*root, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, err)
	}
	return &root{fd: fd, parentFD: -1}, nil
}

func (r *root) close() {
	r.forget()
	_ = unix.Close(r.fd)
}

// forget drops the remembered parent: needed whenever a directory or a
// symbolic link goes away, since the same path may lead elsewhere afterwards.
func (r *root) forget() {
	if r.parentFD >= 0 {
		_ = unix.Close(r.parentFD)
	}
	r.parent, r.parentFD = "", -1
}

// dir opens the directory at path p for use with the *at system calls. Links
// on the way, absolute or not, are followed as if the layer were /.
// The descriptor is good until the next call and not the caller's to close.
func (r *root) dir(p string) (int, error) {
	if p == "." {
		return r.fd, nil
	}
	if p == r.parent {
		return r.parentFD, nil
	}
	fd, err := r.resolve(p)
	if err != nil {
		return -1, err
	}
	r.forget()
	r.parent, r.parentFD = p, fd
	return fd, nil
}

// resolve is where the kernel keeps us inside.
func (r *root) resolve(p string) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	for {
		fd, err := unix.Openat2(r.fd, p, &how)
		// EAGAIN: a rename or mount somewhere in the system ran while the
		// kernel followed a "..", and it could not be sure of the answer.
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// makeDir is dir, and makes the directories that are missing on the way.
func (r *root) makeDir(p string) (int, error) {
	fd, err := r.dir(p)
	if err == nil || !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
		return fd, err
	}
	done := "."
	for part := range strings.SplitSeq(p, "/") {
		parent, err := r.dir(done)
		if err != nil {
			return -1, fmt.Errorf("open directory %s: %w", done, err)
		}
		done = path.Join(done, part)
		if err := r.makeOne(parent, part); err != nil {
			return -1, fmt.Errorf("make directory %s: %w", done, err)
		}
	}
	if fd, err = r.dir(p); err != nil {
		return -1, fmt.Errorf("open directory %s: %w", p, err)
	}
	return fd, nil
}

// makeOne makes one implied directory unless something is there. A whiteout
// that is there gives way: the layer both deletes the lower entry and puts a
// directory in its place.
func (r *root) makeOne(parent int, base string) error {
	opaque := false
	if st, err := lstatAt(parent, base); err == nil && isWhiteout(st) {
		if err := unix.Unlinkat(parent, base, 0); err != nil {
			return err
		}
		opaque = true
	}
	err := unix.Mkdirat(parent, base, 0o755)
	if errors.Is(err, unix.EEXIST) {
		return nil // a directory, or a link that dir is going to follow
	}
	if err != nil {
		return err
	}
	if err := unix.Fchmodat(parent, base, 0o755, 0); err != nil { // whatever the umask
		return err
	}
	if opaque {
		return setOpaque(parent, base)
	}
	return nil
}

// remove takes away what is at base, a whole tree if need be.
func (r *root) remove(parent int, base string) error {
	if parent != r.parentFD { // the remembered directory may be reached through base
		r.forget()
	}
	err := unix.Unlinkat(parent, base, 0)
	if errors.Is(err, unix.EISDIR) {
		err = os.RemoveAll(procPath(parent, base))
	}
	return err
}

// procPath names base in the directory behind fd for the few system calls
// that know paths only. The kernel goes straight to the open directory, and
// base is a single name, so nothing of the layer is followed on the way.
func procPath(fd int, base string) string {
	return "/proc/self/fd/" + strconv.Itoa(fd) + "/" + base
}

func lstatAt(parent int, base string) (*unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(parent, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	return &st, err
}
