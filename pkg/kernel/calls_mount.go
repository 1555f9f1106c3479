package kernel

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

func call(name string, nr uintptr, args ...Arg) Call { return Call{Name: name, Nr: nr, Args: args} }

// Mount is mount(2): the classic call, by path.
func Mount(source, target, fstype string, flags MountFlags, data string) Call {
	return call("mount", unix.SYS_MOUNT, StrOrNull(source), Str(target), StrOrNull(fstype),
		flagSet{uint64(flags), mountNames, "0"}, StrOrNull(data))
}

// Umount2 is umount2(2).
func Umount2(target string, flags int) Call {
	return call("umount2", unix.SYS_UMOUNT2, Str(target), flagSet{uint64(flags), umountNames, "0"})
}

// PivotRoot is pivot_root(2).
func PivotRoot(newRoot, putOld string) Call {
	return call("pivot_root", unix.SYS_PIVOT_ROOT, Str(newRoot), Str(putOld))
}

// Chroot is chroot(2), for roots that cannot be pivoted to.
func Chroot(path string) Call { return call("chroot", unix.SYS_CHROOT, Str(path)) }

// Fsopen is fsopen(2): the start of a mount of the new mount API (Linux 5.2).
func Fsopen(fstype string) Call {
	return call("fsopen", unix.SYS_FSOPEN, Str(fstype), Named{"FSOPEN_CLOEXEC", unix.FSOPEN_CLOEXEC})
}

// FsconfigString is fsconfig(2) with FSCONFIG_SET_STRING: key=value.
func FsconfigString(fs Arg, key, value string) Call {
	return call("fsconfig", unix.SYS_FSCONFIG, fs, Named{"FSCONFIG_SET_STRING", unix.FSCONFIG_SET_STRING}, Str(key), Str(value), Int(0))
}

// FsconfigFlag is fsconfig(2) with FSCONFIG_SET_FLAG: an option without value.
func FsconfigFlag(fs Arg, key string) Call {
	return call("fsconfig", unix.SYS_FSCONFIG, fs, Named{"FSCONFIG_SET_FLAG", unix.FSCONFIG_SET_FLAG}, Str(key), Null, Int(0))
}

// FsconfigCreate is fsconfig(2) with FSCONFIG_CMD_CREATE: make the superblock.
func FsconfigCreate(fs Arg) Call {
	return call("fsconfig", unix.SYS_FSCONFIG, fs, Named{"FSCONFIG_CMD_CREATE", unix.FSCONFIG_CMD_CREATE}, Null, Null, Int(0))
}

// Fsmount is fsmount(2): a detached mount of a superblock.
func Fsmount(fs Arg, attrs MountAttrs) Call {
	return call("fsmount", unix.SYS_FSMOUNT, fs, Named{"FSMOUNT_CLOEXEC", unix.FSMOUNT_CLOEXEC},
		flagSet{uint64(attrs), mountAttrNames, "0"})
}

// OpenTree is open_tree(2); with OPEN_TREE_CLONE it makes a detached copy of
// the mounts at path, which is a bind mount waiting for its place.
func OpenTree(dir Arg, path string, flags uint) Call {
	return call("open_tree", unix.SYS_OPEN_TREE, dir, Str(path), flagSet{uint64(flags), openTreeNames, "0"})
}

// MoveMount is move_mount(2): attach a detached mount, or move one.
func MoveMount(fromDir Arg, from string, toDir Arg, to string, flags int) Call {
	return call("move_mount", unix.SYS_MOVE_MOUNT, fromDir, Str(from), toDir, Str(to), flagSet{uint64(flags), moveMountNames, "0"})
}

// MountSetattr is mount_setattr(2) (Linux 5.12): change a mount's attributes
// or its propagation (an MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE).
func MountSetattr(dir Arg, path string, flags int, set, clr MountAttrs, propagation MountFlags) Call {
	attr := &unix.MountAttr{Attr_set: uint64(set), Attr_clr: uint64(clr), Propagation: uint64(propagation)}
	show := func() string {
		return fmt.Sprintf("{attr_set=%s, attr_clr=%s, propagation=%s, userns_fd=0}", set, clr, propagation)
	}
	return call("mount_setattr", unix.SYS_MOUNT_SETATTR, dir, Str(path), flagSet{uint64(flags), atNames, "0"},
		memory{unsafe.Pointer(attr), show}, Int(unsafe.Sizeof(*attr)))
}

// MountIDMap is mount_setattr(2) with MOUNT_ATTR_IDMAP: the mount shows its
// files with the owners that the user namespace behind the descriptor in slot
// userns maps them to. The mount must be detached and never have been visible.
func MountIDMap(dir Arg, path string, flags int, userns Slot) Call {
	return call("mount_setattr", unix.SYS_MOUNT_SETATTR, dir, Str(path), flagSet{uint64(flags), atNames, "0"},
		idmapArg(userns), Int(unsafe.Sizeof(unix.MountAttr{})))
}

// idmapArg is a struct mount_attr that names a user namespace.
type idmapArg Slot

func (v idmapArg) text(slots map[Slot]uintptr) string {
	return "{attr_set=MOUNT_ATTR_IDMAP, attr_clr=0, propagation=0, userns_fd=" + FD(Slot(v)).text(slots) + "}"
}

func (v idmapArg) word(t *table) operand {
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(t.parents(Slot(v)))}
	return t.pointer(unsafe.Pointer(attr))
}
