package doctor

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// A directory that is there on every machine, to mount over: in a mount
// namespace of the child's own that hurts nobody.
const place = "/proc"

// apart are the first calls of a child that mounts: nothing it mounts is to
// spread to the namespace it came from.
func apart() kernel.Call {
	return kernel.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
}

// mountCalls makes a file system with the calls of the newer mount API, and
// moves into it.
func mountCalls(x *examination) {
	if !x.mayTry(sysAdmin, "mount API") {
		return
	}
	here, fd := kernel.AtFDCWD, kernel.FD
	err := try(unix.CLONE_NEWNS, apart(),
		kernel.Fsopen("tmpfs").Into("fs"), kernel.FsconfigString(fd("fs"), "size", "64k"), kernel.FsconfigCreate(fd("fs")),
		kernel.Fsmount(fd("fs"), unix.MOUNT_ATTR_NOSUID).Into("mnt"),
		kernel.MoveMount(fd("mnt"), "", here, place, unix.MOVE_MOUNT_F_EMPTY_PATH),
		kernel.OpenTree(here, place, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into("tree"),
		kernel.MountSetattr(fd("tree"), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_RDONLY, 0, 0))
	x.tried(err, Missing, "mount API", "fsopen, fsconfig, fsmount, move_mount, open_tree, mount_setattr",
		"volumes and read-only mounts cannot be made", "a kernel of version 5.12 or newer")

	err = try(unix.CLONE_NEWNS, apart(), kernel.Mount("tmpfs", place, "tmpfs", 0, "size=64k"),
		kernel.Chdir(place), kernel.PivotRoot(".", "."), kernel.Umount2(".", unix.MNT_DETACH))
	x.tried(err, Missing, "pivot_root", "enters another file tree",
		"no container can be locked into its file tree", "boot from a root file system that is no initramfs")

	err = try(0, kernel.Openat2(here, "/", unix.O_PATH|unix.O_CLOEXEC, 0, unix.RESOLVE_IN_ROOT))
	x.tried(err, Missing, "openat2", "opens paths without leaving a directory",
		"mount points in images cannot be found safely", "a kernel of version 5.6 or newer")
}

// fileSystems asks for each kind of file system that a container has mounted.
func fileSystems(x *examination) {
	if !x.mayTry(sysAdmin, "file systems") {
		return
	}
	good := ""
	for _, fs := range []struct{ name, consequence, config string }{
		{"proc", "no /proc", "CONFIG_PROC_FS"},
		{"sysfs", "no /sys", "CONFIG_SYSFS"},
		{"tmpfs", "no /dev and no /dev/shm", "CONFIG_TMPFS"},
		{"devpts", "no terminals", "CONFIG_UNIX98_PTYS"},
		{"mqueue", "no /dev/mqueue", "CONFIG_POSIX_MQUEUE"},
		{"overlay", "no copy-on-write root from an image's layers", "CONFIG_OVERLAY_FS, or modprobe overlay"},
	} {
		if err := try(0, kernel.Fsopen(fs.name)); err != nil {
			x.add(Missing, fs.name, answer(err), fs.consequence+" in containers", "a kernel with "+fs.config)
			continue
		}
		good += " " + fs.name
	}
	x.add(OK, "file systems", good[min(1, len(good)):], "", "")
}

// layers are calls that make directories for an overlay below dir and mount it
// over them, and then do what needs a whiteout: delete a file of the lower one.
func layers(dir string) []kernel.Call {
	d := func(name string) string { return dir + "/" + name }
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", d("lower"), d("upper"), d("work"))
	return []kernel.Call{
		kernel.Mkdir(d("lower"), 0o755), kernel.Mkdir(d("upper"), 0o755), kernel.Mkdir(d("work"), 0o755), kernel.Mkdir(d("lower/dir"), 0o755),
		kernel.Openat(kernel.AtFDCWD, d("lower/file"), unix.O_WRONLY|unix.O_CREAT|unix.O_CLOEXEC, 0o644),
		kernel.Mount("overlay", place, "overlay", 0, data),
		kernel.Unlinkat(kernel.AtFDCWD, place+"/file", 0),
	}
}

// opaque are calls that hide a directory of the lower layer below a new one,
// which needs an attribute.
func opaque() []kernel.Call {
	return []kernel.Call{kernel.Rmdir(place + "/dir"), kernel.Mkdir(place+"/dir", 0o755)}
}

func overlayMount(x *examination) {
	if !x.mayTry(sysAdmin, "overlay") {
		return
	}
	calls := append([]kernel.Call{apart(), kernel.Mount("tmpfs", "/sys", "tmpfs", 0, "size=64k")}, layers("/sys")...)
	x.tried(try(unix.CLONE_NEWNS, append(calls, opaque()...)...), Missing, "overlay", "mounts, copies up, and hides what is deleted",
		"no container can have an image's layers as its root", "a kernel with CONFIG_OVERLAY_FS")
}

// idmapped shows a directory of MINICTR_ROOT's file system with other owners.
func idmapped(x *examination) {
	if !x.mayTry(sysAdmin, "idmapped mounts") {
		return
	}
	x.tried(mapMount(existing(x.root)), Warn, "idmapped mounts", "show files with other owners, on "+existing(x.root),
		"run --userns auto is refused", "a kernel of version 5.12 or newer, and ext4, xfs or btrfs below "+x.root)
}

// mappedLayers mounts an overlay whose layers are idmapped mounts.
func mappedLayers(x *examination) {
	if !x.mayTry(sysAdmin, "mapped layers") {
		return
	}
	tmp, err := os.MkdirTemp(existing(x.root), ".minictr-doctor-")
	if err == nil {
		over := kernel.MoveMount(kernel.FD("tree"), "", kernel.AtFDCWD, tmp, unix.MOVE_MOUNT_F_EMPTY_PATH)
		err = errors.Join(mapMount(tmp, append([]kernel.Call{over}, layers(tmp)...)...), os.RemoveAll(tmp))
	}
	x.tried(err, Warn, "mapped layers", "an overlay shows them with other owners",
		"run --userns auto is refused", "a kernel of version 5.19 or newer")
}

// mapMount makes a user namespace, and a mount of dir that is mapped to it, in
// slot tree. What follows with it is done in a mount namespace.
func mapMount(dir string, then ...kernel.Call) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	attempt := func(pid int) error {
		if err := mapToSelf(pid); err != nil {
			return err
		}
		ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
		if err != nil {
			return err
		}
		defer ns.Close()
		host := kernel.NewHost()
		host.Slots["userns"] = ns.Fd()
		calls := []kernel.Call{
			apart(),
			kernel.OpenTree(kernel.AtFDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into("tree"),
			kernel.MountIDMap(kernel.FD("tree"), "", unix.AT_EMPTY_PATH, "userns"),
		}
		_, err = tryOn(host, kernel.CloneArgs{Flags: unix.CLONE_NEWNS}, nil, append(calls, then...)...)
		return err
	}
	_, err := tryOn(kernel.NewHost(), kernel.CloneArgs{Flags: unix.CLONE_NEWUSER}, attempt, kernel.Tell(), kernel.Await())
	return err
}
