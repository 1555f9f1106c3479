package device

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ErrNotDevice is a path that is neither a device node nor a directory of some.
var ErrNotDevice = errors.New("not a device node")

// Lookup finds what --device HOST:CONTAINER names: a node of the host, or all
// nodes below a directory, under the path they get in the container.
// Symbolic links (/dev/disk/by-id/…) are followed on the host.
func Lookup(host, container string) ([]specs.LinuxDevice, error) {
	resolved, err := filepath.EvalSymlinks(host)
	if err != nil {
		return nil, fmt.Errorf("device %s: %w", host, err)
	}
	d, err := node(resolved, container)
	if err == nil {
		return []specs.LinuxDevice{d}, nil
	}
	if info, e := os.Stat(resolved); e != nil || !info.IsDir() {
		return nil, fmt.Errorf("device %s: %w", host, err)
	}
	found, err := walk(resolved, container, nil)
	if err == nil && len(found) == 0 {
		err = ErrNotDevice
	}
	if err != nil {
		return nil, fmt.Errorf("devices in %s: %w", host, err)
	}
	return found, nil
}

// notShared are the parts of /dev that a container has of its own.
var notShared = []string{"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/fd", "/dev/console", "/dev/ptmx"}

// OnHost lists all nodes of the host's /dev, for privileged containers.
func OnHost() ([]specs.LinuxDevice, error) {
	found, err := walk("/dev", "/dev", notShared)
	if err != nil {
		return nil, fmt.Errorf("list the host's devices: %w", err)
	}
	return found, nil
}

// walk collects the nodes below from, renamed to lie below to. Nodes come and
// go while we look (hotplug); those that went do not count.
func walk(from, to string, skip []string) ([]specs.LinuxDevice, error) {
	var found []specs.LinuxDevice
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if slices.Contains(skip, path) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		d, err := node(path, to+strings.TrimPrefix(path, from))
		if err == nil {
			found = append(found, d)
		} else if !errors.Is(err, ErrNotDevice) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	return found, err
}

// node describes the device node at path, without following a link.
func node(path, as string) (specs.LinuxDevice, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return specs.LinuxDevice{}, err
	}
	d := specs.LinuxDevice{
		Path: as, Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev)), UID: &st.Uid, GID: &st.Gid,
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		d.Type = "c"
	case unix.S_IFBLK:
		d.Type = "b"
	default:
		return specs.LinuxDevice{}, ErrNotDevice
	}
	mode := fs.FileMode(st.Mode & 0o777)
	d.FileMode = &mode
	return d, nil
}
