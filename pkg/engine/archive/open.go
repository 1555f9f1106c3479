package archive

import (
	"errors"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// InRoot opens name below the directory behind root as if that were "/": no
// link leads out of it, whoever changes what meanwhile. Links on the way are
// followed; one at the end too, unless flags hold O_NOFOLLOW. The descriptor is
// the caller's to close.
func InRoot(root int, name string, flags int) (int, error) {
	return open(root, name, flags, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

// child opens a name in a directory, and no link.
func child(dir int, name string, flags int) (int, error) {
	return open(dir, name, flags|unix.O_NOFOLLOW, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS)
}

func open(dir int, name string, flags int, resolve uint64) (int, error) {
	if name = strings.TrimLeft(name, "/"); name == "" {
		name = "."
	}
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve}
	if flags&unix.O_CREAT != 0 {
		how.Mode = 0o600
	}
	for {
		fd, err := unix.Openat2(dir, name, &how)
		// EAGAIN: a rename somewhere got in the way of a "..".
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// again opens the very file behind an O_PATH descriptor for use. Its name may
// mean something else by now; the descriptor does not.
func again(fd, flags int) (*os.File, error) {
	got, err := unix.Open(self(fd), flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(got), "file"), nil
}

// self names an open file for the system calls that take no O_PATH descriptor.
func self(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// MakeDir opens the directory name in root, and makes what is missing of it.
func MakeDir(root int, name string) (int, error) {
	fd, err := InRoot(root, name, unix.O_PATH|unix.O_DIRECTORY)
	if err == nil || !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	dir, base := path.Split(path.Clean("/" + name))
	if base == "" {
		return fd, err
	}
	parent, err := MakeDir(root, dir)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(parent) }()
	if err := unix.Mkdirat(parent, base, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, err
	}
	return InRoot(root, name, unix.O_PATH|unix.O_DIRECTORY)
}
