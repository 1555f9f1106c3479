package kernel

import (
	"path"

	"golang.org/x/sys/unix"
)

// Paths of a container are never followed by the kernel's ordinary rules while
// the process is still ours: a link of the image may point to /proc/self/fd/7
// or /proc/1/root, and these lead to wherever that descriptor or that process
// is, outside of any root directory. openat2 with RESOLVE_NO_MAGICLINKS does
// not follow them, and RESOLVE_IN_ROOT keeps all other links inside.

// OpenInRoot opens what path names (O_PATH) within the working directory, which
// must be the container's root. resolve adds more RESOLVE_* rules.
func OpenInRoot(name string, flags OpenFlags, resolve uint64) Call {
	return Openat2(AtFDCWD, name, flags|unix.O_PATH|unix.O_CLOEXEC, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS|resolve)
}

// MakeInRoot opens name as OpenInRoot does and saves it in slot. What is
// missing is made: directories, and at the end an empty file, if file is set.
// Where everything is there, as it is nearly always, that is one call.
func MakeInRoot(name string, file bool, resolve uint64, slot Slot) []Call {
	const parent Slot = "parent"
	calls := []Call{OpenInRoot(name, 0, resolve).Allowing(unix.ENOENT).Into(slot)}
	for i := 1; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' || name == "/" {
			continue
		}
		dir, base := path.Split(name[:i])
		make := Mkdirat(FD(parent), base, 0o755).As("mkdir " + name[:i])
		if file && i == len(name) {
			make = MknodFileAt(FD(parent), base, 0o644).As("touch " + name)
		}
		calls = append(calls,
			OpenInRoot(path.Clean(dir), unix.O_DIRECTORY, resolve).Into(parent).IfFailed(slot),
			make.Allowing(unix.EEXIST, unix.EROFS).IfFailed(slot),
			Close(FD(parent)).IfOK(parent))
	}
	return append(calls, OpenInRoot(name, 0, resolve).Into(slot).IfFailed(slot))
}

// MknodFileAt is mknodat(2) for an empty regular file: it makes one where none
// is, and never opens what is there.
func MknodFileAt(dir Arg, name string, mode uint32) Call {
	c := MknodFile(name, mode)
	c.Args[0] = dir
	return c
}

// OpenPath is openat(2) of an existing file whose path holds results of earlier
// calls.
func OpenPath(name Path, flags OpenFlags) Call {
	return call("openat", unix.SYS_OPENAT, AtFDCWD, name, openFlagArg(flags))
}
