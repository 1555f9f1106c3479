package rootfs

import (
	"fmt"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

func nullSlot(i int) kernel.Slot { return kernel.Slot(fmt.Sprintf("null-%d", i)) }

// Covers say what Mask has to mount over paths.
type Covers struct {
	Null int  // so many copies of /dev/null have been taken: one for each path, or one that is copied for each
	Tree bool // all directories share one tmpfs; else each gets its own
}

// CoversFor are the covers for so many paths. Detached mounts can be copied
// since Linux 6.15, by the mount namespace that made them: taken says that the
// host took /dev/null, for a child that could not. A copy that is not used is
// not for nothing: the kernel waits for all processors when it goes.
func CoversFor(paths int, copies, taken bool) Covers {
	if copies && !taken {
		return Covers{min(paths, 1), true}
	}
	return Covers{paths, copies}
}

// Mask hides paths: a file under /dev/null, a directory under an empty
// read-only tmpfs. What does not exist needs no mask. /dev/null is the host's
// own, taken by Sources before the image had a say: a container whose /dev/null
// is something else cannot make us mount that over /proc/kcore instead.
func Mask(paths []string, covers Covers) step.Step {
	var calls []kernel.Call
	if covers.Tree {
		calls = append(emptyFS(), kernel.Fsmount(kernel.FD(fsSlot), unix.MOUNT_ATTR_RDONLY).Into(coverSlot))
	}
	for i, p := range paths {
		dir := kernel.Slot(fmt.Sprintf("masked-dir-%d", i))
		file := kernel.Slot(fmt.Sprintf("masked-file-%d", i))
		calls = append(calls, look(p, unix.O_DIRECTORY, dir), look(p, 0, file).IfFailed(dir))
		null := nullSlot(i)
		if covers.Null < len(paths) {
			null = mountSlot
			calls = append(calls, kernel.OpenTree(kernel.FD(nullSlot(0)), "", cloneTree|unix.AT_EMPTY_PATH).Into(null).IfOK(file))
		}
		calls = append(calls,
			kernel.MoveMount(kernel.FD(null), "", kernel.FD(file), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
				IfOK(file).As("mount --bind /dev/null "+p))
		calls = append(calls, coverDirectory(p, dir, covers.Tree)...)
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
