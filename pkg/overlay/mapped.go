package overlay

import (
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// A container with a user namespace has other ids than the host: its root may
// be 1900000000 here. Its layers are shared and belong to 0, and what it writes
// is to belong to 0 as well, or its upper directory would mean something in
// this container only. So the directories are joined not as they are, but as
// idmapped mounts, which show and take the files of 0 as files of 1900000000
// (mount_setattr(2), MOUNT_ATTR_IDMAP; an overlay of such mounts: Linux 5.19).

// Mapping says how an overlay's layers are mapped.
type Mapping struct {
	UserNS   kernel.Slot // descriptor of a user namespace with the id maps
	UID, GID uint32      // what is 0 in it, as the host sees it
}

// MountMapped makes the overlay of Mount from layers that are mapped, and takes
// it off as a detached mount into slot Root. It is a Host step, for only root
// of the host may map the host's files, and the overlay keeps attributes that
// only root of the host may write (trusted.overlay.*).
//
// The kernel takes layers by their paths, and by paths of the caller's own
// mount namespace. That is why the calling thread goes into one of its own for
// these few calls and covers each layer with its mapped self. The namespace
// ends when the thread goes back, and all mounts in it; the overlay holds on to
// what it was made of.
func MountMapped(l Layers, target string, m Mapping) step.Step {
	const home, layer kernel.Slot = "mounts-home", "layer"
	calls := []kernel.Call{
		kernel.Openat(kernel.AtFDCWD, "/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0).Into(home),
		kernel.Unshare(unix.CLONE_NEWNS).As("unshare --mount sh"),
		kernel.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "").As("mount --make-rprivate /"),
	}
	for _, dir := range l.mounts() {
		calls = append(calls,
			kernel.OpenTree(kernel.AtFDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into(layer),
			kernel.MountIDMap(kernel.FD(layer), "", unix.AT_EMPTY_PATH, m.UserNS).For(dir),
			kernel.MoveMount(kernel.FD(layer), "", kernel.AtFDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH).
				As("mount --bind -o X-mount.idmap=/proc/$HELPER/ns/user "+dir+" "+dir),
			kernel.Close(kernel.FD(layer)))
	}
	again := []kernel.Call{kernel.Setfsuid(0), kernel.Setfsgid(0), securebits("0", 0)} // the host's root
	back := kernel.Setns(kernel.FD(home), unix.CLONE_NEWNS).As("exit")
	calls = append(calls, m.become()...)
	calls = append(calls, l.calls(target)...)
	calls = append(calls, again...)
	calls = append(calls,
		kernel.OpenTree(kernel.AtFDCWD, target, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into(step.Root),
		back, kernel.Close(kernel.FD(home)))
	return step.Step{
		Name: "overlay.mount-mapped", Topic: book.CopyOnWrite, Side: step.Host, Calls: calls,
		Why:     "the layers stay as they are and shared; through idmapped mounts the container's root is the owner of what belongs to root on disk",
		Restore: append(again, back.IfOK(home)),
		Rule:    "a detached mount goes with its last descriptor, and a mount namespace with its last thread",
		Risk:    "the container would take the host's own directory as its root",
	}
}

// mounts are the directories to be mapped: each layer, and the one that upper
// and work directory are in, which must be of one mount.
func (l Layers) mounts() []string {
	dirs := slices.Clone(l.Lower)
	if l.Upper != "" {
		dirs = append(dirs, filepath.Dir(l.Upper))
	}
	return dirs
}

// become makes the thread the owner of the container's files. An overlay does
// all of its own work, such as the directories and whiteouts it makes, as who
// mounted it; the host's 0 has no place in the mapped layers. The thread keeps
// its capabilities, which a change of fsuid would take away from it
// (capabilities(7), "Effect of user ID changes" and "securebits").
func (m Mapping) become() []kernel.Call {
	const noFixup = 1 << 2
	return []kernel.Call{securebits("SECBIT_NO_SETUID_FIXUP", noFixup), kernel.Setfsgid(m.GID), kernel.Setfsuid(m.UID)}
}

func securebits(name string, bits uintptr) kernel.Call {
	return kernel.Prctl(kernel.Named{Name: "PR_SET_SECUREBITS", Value: unix.PR_SET_SECUREBITS}, kernel.Named{Name: name, Value: bits})
}
