package rootfs

import (
	"fmt"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// A cover is mounted over the first path that is there, and copied from there for
// all others. One that finds no path is dropped, and then the kernel waits for all
// processors; so there are no more of them than these two.
const (
	nullSlot kernel.Slot = "null"      // /dev/null, for files
	treeSlot kernel.Slot = "masked-by" // an empty tmpfs, for directories
)

// Mask hides paths: a file under /dev/null, a directory under an empty
// read-only tmpfs. What does not exist needs no mask. /dev/null is the host's
// own, taken by Sources before the image had a say: a container whose /dev/null
// is something else cannot make us mount that over /proc/kcore instead.
func Mask(paths []string) step.Step {
	calls := append(emptyFS(), kernel.Fsmount(kernel.FD(fsSlot), unix.MOUNT_ATTR_RDONLY).Into(treeSlot))
	for i, p := range paths {
		dir := kernel.Slot(fmt.Sprintf("masked-dir-%d", i))
		file := kernel.Slot(fmt.Sprintf("masked-file-%d", i))
		calls = append(calls, look(p, unix.O_DIRECTORY, dir), look(p, 0, file).IfFailed(dir))
		calls = append(calls, cover(nullSlot, file, "mount --bind /dev/null "+p)...)
		calls = append(calls, cover(treeSlot, dir, "mount -t tmpfs -o ro tmpfs "+p)...)
	}
	return step.Step{
		Name: "rootfs.mask", Topic: book.Containers, Side: step.Inside, Calls: calls,
		Why:  "some files of /proc and /sys speak of the whole machine, or change it; they are covered up",
		Rule: "the mount table vanishes with its namespace",
		Risk: "a privileged program in the container could read the kernel's memory layout and keys, and act on the hardware",
	}
}

// look opens a path that may be missing, without following it out of the root.
func look(p string, flags kernel.OpenFlags, slot kernel.Slot) kernel.Call {
	return kernel.OpenInRoot(p, flags, 0).Into(slot).Allowing(unix.ENOENT, unix.ENOTDIR, unix.EACCES)
}

// cover mounts what is in slot over target, if that is there: a copy, or, where it
// is the first one, the thing itself.
func cover(slot, target kernel.Slot, shell string) []kernel.Call {
	used := slot + "-used"
	over := func(what kernel.Slot) kernel.Call {
		return kernel.MoveMount(kernel.FD(what), "", kernel.FD(target), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).As(shell)
	}
	return []kernel.Call{
		kernel.OpenTree(kernel.FD(slot), "", cloneTree|unix.AT_EMPTY_PATH).Into(mountSlot).IfOK(target).AndOK(used),
		over(mountSlot).IfOK(mountSlot),
		over(slot).Into(used).IfOK(target).AndFailed(used), // last, or there would be a copy over it
	}
}

// emptyFS makes a tmpfs with room for nothing but its root.
func emptyFS() []kernel.Call {
	fs := kernel.FD(fsSlot)
	return []kernel.Call{
		kernel.Fsopen("tmpfs").Into(fsSlot),
		kernel.FsconfigString(fs, "nr_blocks", "1"),
		kernel.FsconfigString(fs, "nr_inodes", "1"),
		kernel.FsconfigCreate(fs),
	}
}

// ReadOnly binds paths over themselves, read-only.
func ReadOnly(paths []string) step.Step {
	var calls []kernel.Call
	for i, p := range paths {
		slot := kernel.Slot(fmt.Sprintf("readonly-%d", i))
		target := kernel.Slot(fmt.Sprintf("readonly-target-%d", i))
		calls = append(calls,
			look(p, 0, target),
			kernel.OpenTree(kernel.FD(target), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE).
				Into(slot).IfOK(target),
			kernel.MountSetattr(kernel.FD(slot), "", at(true), unix.MOUNT_ATTR_RDONLY, 0, 0).IfOK(slot),
			kernel.MoveMount(kernel.FD(slot), "", kernel.FD(target), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
				IfOK(slot).As("mount --bind -o ro "+p+" "+p))
	}
	return step.Step{
		Name: "rootfs.readonly", Topic: book.Containers, Side: step.Inside, Calls: calls,
		Why:  "settings under /proc/sys and the like may be read but not changed: most of them are the host's",
		Rule: "the mount table vanishes with its namespace",
		Risk: "root in the container could change the host's kernel settings",
	}
}
