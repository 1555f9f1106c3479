package rootfs

import (
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Some of what a mount becomes depends on what the image has at its place. It
// is looked at when the plan is made, by descriptors that stay in the root. The
// image may change between that look and the mount: then the kernel's rules for
// the mount's own path (kernel.OpenInRoot) hold all the same.

// Over looks at what mounts will cover in the root directory at root: a tmpfs
// takes over the mode of the directory unless it is given one, and the target of
// a link that leads to nothing is where a bind mount's target is to be made.
func Over(root string, mounts []Mount) []Mount {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return mounts // Bind will say so
	}
	defer unix.Close(dir)
	for i, m := range mounts {
		m = m.Within(root)
		mounts[i] = m
		switch {
		case m.Type == "tmpfs" && !m.bind && !slices.ContainsFunc(m.data, isMode):
			if mode, ok := modeAt(dir, m.Destination); ok {
				mounts[i].data = append(slices.Clone(m.data), fmt.Sprintf("mode=%o", mode))
			}
		case m.bind && !m.destNoFollow && m.link == "":
			mounts[i].Destination = throughLinks(dir, m.Destination)
		}
	}
	return mounts
}

func isMode(option string) bool { return strings.HasPrefix(option, "mode=") }

// modeAt is the mode of what is at name in root.
func modeAt(root int, name string) (mode uint32, ok bool) {
	fd, err := openInRoot(root, name, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) != nil {
		return 0, false
	}
	return stat.Mode & 0o7777, true
}

func openInRoot(root int, name string, flags uint64) (int, error) {
	return unix.Openat2(root, name, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// throughLinks is name with its links followed, if that leads to nothing: the
// kernel makes a directory where nothing is, but not behind a link. Else it is
// name itself.
func throughLinks(root int, name string) string {
	fd, err := openInRoot(root, name, 0)
	if err == nil {
		unix.Close(fd)
	}
	if err != unix.ENOENT {
		return name
	}
	done, rest := "/", strings.TrimPrefix(name, "/")
	for followed := 0; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		next := path.Join(done, part) // ".." of the root is the root
		target, err := linkAt(root, next)
		if err != nil {
			done = next
			continue
		}
		if followed++; followed > 40 { // as many as the kernel follows
			return name
		}
		if path.IsAbs(target) {
			done = "/"
		}
		rest = path.Join(target, rest)
	}
	return done
}

// linkAt reads a link in root; what is none is an error.
func linkAt(root int, name string) (string, error) {
	fd, err := openInRoot(root, name, unix.O_NOFOLLOW)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var target [unix.PathMax]byte
	n, err := unix.Readlinkat(fd, "", target[:])
	return string(target[:max(n, 0)]), err
}

// UsesHostPaths reports whether the file system itself reads paths of the host:
// the layers of an overlay, the device of a disk. It must be made before the
// pivot (Early), when they still mean something.
func (m Mount) UsesHostPaths() bool {
	return !m.bind && (m.Type == "overlay" || path.IsAbs(m.Source))
}

// BoundSys replaces a new sysfs by the host's: sysfs shows the network devices
// of its network namespace, so only root of that namespace may mount one, and a
// user namespace without a network namespace of its own has no such root.
func BoundSys(mounts []specs.Mount) []specs.Mount {
	mounts = slices.Clone(mounts)
	for i, m := range mounts {
		if m.Type == "sysfs" {
			mounts[i].Type, mounts[i].Source, mounts[i].Options = "bind", "/sys", append(slices.Clone(m.Options), "bind")
		}
	}
	return mounts
}
