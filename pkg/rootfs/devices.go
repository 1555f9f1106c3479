package rootfs

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// links of every /dev (runtime-spec config-linux.md, "Dev symbolic links").
var links = []struct{ name, target string }{
	{"fd", "/proc/self/fd"},
	{"stdin", "/proc/self/fd/0"},
	{"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
}

// Devices fills /dev: nodes, the standard links, and /dev/ptmx. In a user
// namespace mknod is not allowed, so the nodes of the host are bound instead;
// their trees were taken by DeviceSources.
func Devices(devices []specs.LinuxDevice, userns bool) step.Step {
	calls := kernel.MakeInRoot("/dev", false, unix.RESOLVE_NO_SYMLINKS, devSlot)
	for i, d := range devices {
		if userns {
			calls = append(calls, bindDevice(i, d)...)
		} else {
			calls = append(calls, makeDevice(d)...)
		}
	}
	dev := kernel.FD(devSlot)
	for _, l := range links {
		calls = append(calls, kernel.Symlinkat(l.target, dev, l.name).Allowing(unix.EEXIST).As("ln -s "+l.target+" /dev/"+l.name))
	}
	calls = append(calls,
		kernel.Unlinkat(dev, "ptmx", 0).Allowing(unix.ENOENT, unix.EBUSY),
		kernel.Symlinkat("pts/ptmx", dev, "ptmx").Allowing(unix.EEXIST).As("ln -s pts/ptmx /dev/ptmx"))
	return step.Step{
		Name: "rootfs.devices", Topic: book.Containers, Side: step.Inside, Calls: calls,
		Why:  "programs expect null, zero, random and a terminal; they get these few nodes and none of the host's disks",
		Rule: "the nodes are on the container's own tmpfs",
	}
}

func makeDevice(d specs.LinuxDevice) []kernel.Call {
	calls, dir := parent(d.Path)
	return append(calls, makeNode(dir, path.Base(d.Path), d)...)
}

func permissions(d specs.LinuxDevice) uint32 {
	if d.FileMode == nil {
		return 0o666
	}
	return uint32(d.FileMode.Perm())
}

// makeNode makes the node of a device under a name in dir.
func makeNode(dir kernel.Arg, name string, d specs.LinuxDevice) []kernel.Call {
	typ := map[string]uint32{"c": unix.S_IFCHR, "u": unix.S_IFCHR, "b": unix.S_IFBLK, "p": unix.S_IFIFO}[d.Type]
	node := kernel.Mknodat(dir, name, typ|permissions(d), uint32(d.Major), uint32(d.Minor)).Allowing(unix.EEXIST)
	calls := []kernel.Call{node.As(strings.Replace(node.Shell, " "+name, " "+d.Path, 1))}
	if d.UID != nil && *d.UID != 0 || d.GID != nil && *d.GID != 0 {
		uid, gid := 0, 0
		if d.UID != nil {
			uid = int(*d.UID)
		}
		if d.GID != nil {
			gid = int(*d.GID)
		}
		calls = append(calls, kernel.Fchownat(dir, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW))
	}
	return calls
}

func deviceSlot(i int) kernel.Slot { return kernel.Slot(fmt.Sprintf("device-%d", i)) }

// takeDevices takes the host's nodes. One that the host has not in that place is
// made, as the configuration has it, in a file system that is mounted nowhere
// (Linux 6.15 for the copy of that).
func takeDevices(devices []specs.LinuxDevice) []kernel.Call {
	const fs, nodes kernel.Slot = "nodes-fs", "nodes"
	var calls []kernel.Call
	made := false
	for i, d := range devices {
		if _, err := os.Lstat(d.Path); !os.IsNotExist(err) || !kernel.AtLeast(6, 15) {
			calls = append(calls, kernel.OpenTree(kernel.AtFDCWD, d.Path, cloneTree).Into(deviceSlot(i)))
			continue
		}
		if !made {
			calls = append(calls, kernel.Fsopen("tmpfs").Into(fs), kernel.FsconfigString(kernel.FD(fs), "mode", "755"),
				kernel.FsconfigCreate(kernel.FD(fs)), kernel.Fsmount(kernel.FD(fs), 0).Into(nodes))
			made = true
		}
		name := strconv.Itoa(i)
		calls = append(calls, makeNode(kernel.FD(nodes), name, d)...)
		calls = append(calls, kernel.Fchmodat(kernel.FD(nodes), name, permissions(d))) // whatever our umask is
		calls = append(calls, kernel.OpenTree(kernel.FD(nodes), name, cloneTree).Into(deviceSlot(i)))
	}
	return calls
}

// DeviceSources takes the host's nodes, before the pivot, for a user namespace.
func DeviceSources(devices []specs.LinuxDevice) step.Step {
	var calls []kernel.Call
	for i, d := range devices {
		calls = append(calls, kernel.OpenTree(kernel.AtFDCWD, d.Path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Into(deviceSlot(i)))
	}
	return step.Step{
		Name: "rootfs.device-sources", Topic: book.Containers, Side: step.Inside, Calls: calls,
		Why:  "a user namespace may not make device nodes; the host's own will be bound in their place",
		Rule: "a detached mount goes with its last descriptor",
	}
}

func bindDevice(i int, d specs.LinuxDevice) []kernel.Call {
	calls := kernel.MakeInRoot(path.Clean(d.Path), true, 0, targetSlot)
	return append(calls,
		kernel.MoveMount(kernel.FD(deviceSlot(i)), "", kernel.FD(targetSlot), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
			As("mount --bind "+d.Path+" "+d.Path),
		// A file of the host stays one: nothing that is run from it gets rights.
		kernel.MountSetattr(kernel.FD(deviceSlot(i)), "", unix.AT_EMPTY_PATH, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC, 0, 0))
}

// Slots of directories that get nodes.
const (
	devSlot    kernel.Slot = "dev"
	subDevSlot kernel.Slot = "dev-sub"
)

// parent is the directory of a node, made if it is not /dev itself.
func parent(p string) ([]kernel.Call, kernel.Arg) {
	dir := path.Dir(path.Clean(p))
	if dir == "/dev" {
		return nil, kernel.FD(devSlot)
	}
	return kernel.MakeInRoot(dir, false, 0, subDevSlot), kernel.FD(subDevSlot)
}

// StandardDevices are the nodes every container gets (runtime-spec
// config-linux.md, "Default Devices").
func StandardDevices() []specs.LinuxDevice {
	mode := os.FileMode(0o666)
	node := func(name string, major, minor int64) specs.LinuxDevice {
		return specs.LinuxDevice{Path: "/dev/" + name, Type: "c", Major: major, Minor: minor, FileMode: &mode}
	}
	return []specs.LinuxDevice{
		node("null", 1, 3), node("zero", 1, 5), node("full", 1, 7), node("random", 1, 8), node("urandom", 1, 9), node("tty", 5, 0),
	}
}
