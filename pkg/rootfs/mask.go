package rootfs

import (
	"fmt"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

func nullSlot(i int) kernel.Slot { return kernel.Slot(fmt.Sprintf("null-%d", i)) }

// Mask hides paths: a file under /dev/null, a directory under an empty
// read-only tmpfs. What does not exist needs no mask. /dev/null is the host's
// own, taken by Sources before the image had a say: a container whose /dev/null
// is something else cannot make us mount that over /proc/kcore instead.
//
// share has all directories under the same tmpfs, for kernels that copy
// detached mounts (Linux 6.15); older ones get a tmpfs for each.
func Mask(paths []string, share bool) step.Step {
	var calls []kernel.Call
	if share {
		calls = append(emptyFS(), kernel.Fsmount(kernel.FD(fsSlot), unix.MOUNT_ATTR_RDONLY).Into(coverSlot))
	}
	for i, p := range paths {
		dir := kernel.Slot(fmt.Sprintf("masked-dir-%d", i))
		file := kernel.Slot(fmt.Sprintf("masked-file-%d", i))
		calls = append(calls,
			look(p, unix.O_DIRECTORY, dir),
			look(p, 0, file).IfFailed(dir),
			kernel.MoveMount(kernel.FD(nullSlot(i)), "", kernel.FD(file), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
				IfOK(file).As("mount --bind /dev/null "+p))
		calls = append(calls, coverDirectory(p, dir, share)...)
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

// coverSlot is the tmpfs that all masked directories share.
const coverSlot kernel.Slot = "masked-by"

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

func coverDirectory(p string, dir kernel.Slot, share bool) []kernel.Call {
	var calls []kernel.Call
	if share {
		calls = append(calls, kernel.OpenTree(kernel.FD(coverSlot), "", cloneTree|unix.AT_EMPTY_PATH).Into(mountSlot))
	} else {
		calls = append(emptyFS(), kernel.Fsmount(kernel.FD(fsSlot), unix.MOUNT_ATTR_RDONLY).Into(mountSlot))
	}
	calls = append(calls,
		kernel.MoveMount(kernel.FD(mountSlot), "", kernel.FD(dir), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
			As("mount -t tmpfs -o ro tmpfs "+p))
	for i := range calls {
		calls[i] = calls[i].IfOK(dir)
	}
	return calls
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
