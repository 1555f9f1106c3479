package rootfs

import (
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Private cuts the namespace off from the host's mount events: with MS_SLAVE
// (recursive) the container still sees what the host mounts later below a
// volume that asks for it, but nothing it mounts reaches the host.
func Private(propagation kernel.MountFlags) step.Step {
	return step.Step{
		Name: "rootfs.private", Topic: book.Namespaces, Side: step.Inside,
		Why:   "a new mount namespace starts as a copy whose mounts still tell each other of changes; stop that, or our mounts appear on the host",
		Calls: []kernel.Call{kernel.Mount("", "/", "", propagation|unix.MS_REC, "").As("mount --make-rslave /")},
		Rule:  "the mount table vanishes with its namespace",
		Risk:  "every mount of the container would appear on the host",
	}
}

// Bind makes a directory of the host a mount of its own, for roots that are no
// overlay: pivot_root wants a mount point.
func Bind(dir string) step.Step {
	const tree kernel.Slot = "root-tree"
	return step.Step{
		Name: "rootfs.bind", Topic: book.CopyOnWrite, Side: step.Inside,
		Why: "pivot_root accepts only a mount point as the new root",
		Calls: []kernel.Call{
			kernel.OpenTree(kernel.AtFDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE).Into(tree),
			kernel.MoveMount(kernel.FD(tree), "", kernel.AtFDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH).As("mount --rbind " + dir + " " + dir),
			kernel.Openat(kernel.AtFDCWD, dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(step.Root),
		},
		Rule: "the mount exists in the container's mount namespace only and goes with it",
		Risk: "without a root of its own the container would run on the host's",
	}
}

// Pivot makes the new root "/" and drops the host's tree. pivot_root(".", ".")
// puts the old root on top of the new one, from where umount2 takes it away:
// no directory of the image is needed to park it (pivot_root(2), NOTES).
func Pivot(propagation kernel.MountFlags) step.Step {
	return step.Step{
		Name: "rootfs.pivot", Topic: book.Namespaces, Side: step.Inside,
		Why: "exchange the root directory for the container's and let go of the host's: from here on no path leads to a host file",
		Calls: []kernel.Call{
			kernel.Fchdir(kernel.FD(step.Root)),
			kernel.PivotRoot(".", ".").As("pivot_root . ."),
			// The old root must not pass this unmount on to the host.
			kernel.Mount("", ".", "", unix.MS_SLAVE|unix.MS_REC, ""),
			kernel.Umount2(".", unix.MNT_DETACH).As("umount -l ."),
			kernel.Chdir("/"),
		},
		Rule: "the mount table vanishes with its namespace",
		Risk: "the container would keep the host's whole file system as its own",
	}
}

// Chroot is the way without pivot_root, for hosts whose root is an initramfs.
// The host's tree stays mounted behind the container's back, but for bare, its
// proc and sysfs mounts: the kernel lets a user namespace in the container mount
// a new proc only if one can be seen that nothing covers, and the host's would
// be such a one.
func Chroot(bare []string) step.Step {
	var calls []kernel.Call
	for _, point := range bare {
		calls = append(calls, kernel.Umount2(point, unix.MNT_DETACH).Allowing(unix.EINVAL, unix.ENOENT).As("umount -l "+point))
	}
	return step.Step{
		Name: "rootfs.chroot", Topic: book.Namespaces, Side: step.Inside,
		Why: "an initramfs cannot be pivoted away from; move the new root over it",
		Calls: append(calls,
			kernel.Fchdir(kernel.FD(step.Root)),
			kernel.Mount(".", "/", "", unix.MS_MOVE, "").As("mount --move . /"),
			kernel.Chroot(".").As("chroot ."),
			kernel.Chdir("/"),
		),
		Rule: "the mount table vanishes with its namespace",
		Risk: "the container would keep the host's whole file system as its own",
	}
}

// Seal makes the root read-only once everything is in its place.
func Seal() step.Step {
	return step.Step{
		Name: "rootfs.seal", Topic: book.CopyOnWrite, Side: step.Inside,
		Why:   "a read-only root: the program can write to volumes and tmpfs only",
		Calls: []kernel.Call{kernel.MountSetattr(kernel.AtFDCWD, "/", 0, unix.MOUNT_ATTR_RDONLY, 0, 0).As("mount -o remount,bind,ro /")},
		Rule:  "the mount table vanishes with its namespace",
	}
}

// SealDev makes /dev read-only, if the configuration wants it so, when the nodes
// and the mounts below are in their places.
func SealDev() step.Step {
	return step.Step{
		Name: "rootfs.seal-dev", Topic: book.Containers, Side: step.Inside,
		Why: "a read-only /dev: nothing can be added to what is there",
		Calls: []kernel.Call{
			kernel.MountSetattr(kernel.AtFDCWD, "/dev", unix.AT_SYMLINK_NOFOLLOW, unix.MOUNT_ATTR_RDONLY, 0, 0).As("mount -o remount,bind,ro /dev"),
		},
		Rule: "the mount table vanishes with its namespace",
	}
}

// Propagate sets how the finished root passes mount events on
// (linux.rootfsPropagation of the OCI configuration).
func Propagate(flag kernel.MountFlags) step.Step {
	return step.Step{
		Name: "rootfs.propagate", Topic: book.Namespaces, Side: step.Inside,
		Why:   "the configuration asks for a certain propagation of mounts below the root",
		Calls: []kernel.Call{kernel.Mount("", "/", "", flag, "")},
		Rule:  "the mount table vanishes with its namespace",
	}
}
