package rootfs

import (
	"fmt"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// maxCopied bounds what tmpcopyup copies: files, each of which is some calls of
// the plan. It is meant for a /tmp, /run or /etc.
const maxCopied = 4000

// copied is a file below a directory that a tmpfs covers and begins with a copy
// of (the mount option tmpcopyup).
type copied struct {
	path     string // from that directory
	stat     unix.Stat_t
	link     string
	uid, gid int // in the container; -1: nobody there has it
}

// Owner translates an owner of files to the ids that the container knows.
type Owner func(uid, gid uint32) (int, int)

// CopyUp looks at what the root directory at root has in the places of mounts
// with tmpcopyup.
func CopyUp(root string, mounts []Mount, owner Owner) error {
	for i, m := range mounts {
		if !m.copyUp || m.bind || m.Type != "tmpfs" {
			continue
		}
		dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil // Bind will say so
		}
		err = mounts[i].look(dir, owner)
		unix.Close(dir)
		if err != nil {
			return fmt.Errorf("tmpcopyup of %s: %w", m.Destination, err)
		}
	}
	return nil
}

// look lists what is to be copied, directories before what is in them.
func (m *Mount) look(root int, owner Owner) error {
	fd, err := openInRoot(root, m.Destination, unix.O_DIRECTORY)
	if err != nil {
		return nil // there is nothing, or no directory: an empty one will be there
	}
	m.above = []copied{{path: ".", uid: -1, gid: -1}}
	if err := unix.Fstat(fd, &m.above[0].stat); err == nil {
		m.above[0].uid, m.above[0].gid = owner(m.above[0].stat.Uid, m.above[0].stat.Gid)
	}
	defer unix.Close(fd)
	for next := 0; next < len(m.above); next++ {
		if m.above[next].stat.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		if err := m.list(fd, m.above[next].path, owner); err != nil {
			return err
		}
		if len(m.above) > maxCopied {
			return fmt.Errorf("there are more than %d files", maxCopied)
		}
	}
	return nil
}

const within = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS

// list adds what is in one directory.
func (m *Mount) list(top int, name string, owner Owner) error {
	fd, err := unix.Openat2(top, name, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: within})
	if err != nil {
		return err
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, n := range names {
		c := copied{path: path.Join(name, n)}
		if err := unix.Fstatat(fd, n, &c.stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if c.stat.Mode&unix.S_IFMT == unix.S_IFLNK {
			if c.link, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d/%s", fd, n)); err != nil {
				return err
			}
		}
		c.uid, c.gid = owner(c.stat.Uid, c.stat.Gid)
		m.above = append(m.above, c)
	}
	return nil
}

// copyUpTo fills the new file system while it is mounted nowhere, from the
// directory that it will cover. It is made writable for that.
func (m Mount) copyUpTo(mount kernel.Slot) []kernel.Call {
	const from, to kernel.Slot = "copy-from", "copy-to"
	fs := kernel.FD(mount)
	var calls []kernel.Call
	for _, c := range m.above {
		mode := c.stat.Mode & 0o7777
		switch c.stat.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			if c.path != "." {
				calls = append(calls, kernel.Mkdirat(fs, c.path, mode))
			}
		case unix.S_IFREG:
			calls = append(calls,
				kernel.Openat2(kernel.FD(targetSlot), c.path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0, within).Into(from),
				kernel.Openat(fs, c.path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, mode).Into(to))
			if c.stat.Size > 0 {
				calls = append(calls, kernel.Sendfile(kernel.FD(to), kernel.FD(from), int(c.stat.Size)).As("cp "+path.Join(m.Destination, c.path)))
			}
			calls = append(calls, kernel.Close(kernel.FD(to)), kernel.Close(kernel.FD(from)))
		case unix.S_IFLNK:
			calls = append(calls, kernel.Symlinkat(c.link, fs, c.path))
		case unix.S_IFIFO:
			calls = append(calls, kernel.Mknodat(fs, c.path, c.stat.Mode, 0, 0))
		default: // sockets are of no use without their server, and devices are the configuration's
			continue
		}
		if c.uid > 0 || c.gid > 0 {
			calls = append(calls, kernel.Fchownat(fs, c.path, c.uid, c.gid, unix.AT_SYMLINK_NOFOLLOW))
		}
		if c.stat.Mode&unix.S_IFMT != unix.S_IFLNK && mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
			calls = append(calls, kernel.Fchmodat(fs, c.path, mode)) // which a change of owner clears
		}
	}
	return calls
}
