package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Mount is one mount of the configuration, prepared.
type Mount struct {
	specs.Mount
	options
	name  string      // of its step
	slot  kernel.Slot // of a bind mount's source, or of an early mount
	file  bool        // the source of the bind mount is no directory
	early bool        // made by Sources, before the pivot

	subpath string   // below Source, see Beneath
	link    string   // the source is a link to this, and is to be copied
	above   []copied // what the file system begins with, see CopyUp
	inner   string   // the source is this path of the container's root, see Within

	taken   bool // the host took the source, see HostSources
	ordered bool // see InOrder
	sealed  bool // see Sealed

	userns kernel.Slot // with the maps of an idmapped mount, see Map
}

// Sealed reports a new /dev that is to be read-only. The mount itself is not,
// until the nodes are there: see SealDev.
func (m Mount) Sealed() bool { return m.sealed }

// Binds reports whether m shows something of the host.
func (m Mount) Binds() bool { return m.bind }

// InOrder has a bind mount copied once more where it is attached. Linux 6.8 and
// newer list mounts by their age and not by the time they were attached, and
// programs that compare the list with the configuration want its order. Only
// for kernels that copy detached mounts (6.15).
func (m Mount) InOrder() Mount {
	m.ordered = m.bind && !m.taken && m.inner == ""
	return m
}

// Beneath has a bind mount show only what is at path below its source. Other
// containers may be writing there: a link that one of them puts in the way must
// not lead out of it (CVE-2023-5528 was about that), so the kernel resolves the
// path, with RESOLVE_BENEATH.
func (m Mount) Beneath(path string) Mount {
	if path == "" || !m.bind {
		return m
	}
	m.subpath = path
	info, err := os.Stat(m.Source + "/" + path)
	m.file = err == nil && !info.IsDir()
	return m
}

// Early has the mount made before the pivot. In a user namespace the kernel
// allows a new proc or sysfs only to who can already see one that is not
// covered in part (mount_too_revealing in fs/namespace.c): the host's, as long
// as it is there. The others are made with them, or the mount table would list
// these two first (see InOrder).
func (m Mount) Early() Mount {
	m.early = !m.bind && m.Type != "cgroup"
	return m
}

// Parse prepares the mounts of a configuration. Sources of bind mounts are
// looked at, for the target must be of the same kind.
func Parse(mounts []specs.Mount) ([]Mount, error) {
	used := make(map[string]bool)
	list := make([]Mount, 0, len(mounts))
	for i, m := range mounts {
		if m.Destination == "" {
			return nil, errors.New("a mount has no destination")
		}
		p := Mount{Mount: m, options: parseOptions(m), slot: kernel.Slot(fmt.Sprintf("source-%d", i))}
		p.Destination = path.Clean("/" + m.Destination) // relative ones are deprecated, and start there
		if err := p.checkProc(); err != nil {
			return nil, err
		}
		if p.bind {
			// NAME=VALUE is for the file system, which has been mounted
			// already: runc and crun take no notice of it here.
			if i := slices.IndexFunc(p.data, func(o string) bool { return !strings.Contains(o, "=") }); i >= 0 {
				return nil, fmt.Errorf("mount %s: %q is no option of a bind mount", m.Destination, p.data[i])
			}
			p.lookAtSource()
		}
		if p.Destination == "/dev" && !p.bind && p.set&unix.MOUNT_ATTR_RDONLY != 0 {
			p.sealed, p.set = true, p.set&^unix.MOUNT_ATTR_RDONLY
		}
		p.name = p.stepName()
		for used[p.name] {
			p.name += "'"
		}
		used[p.name] = true
		list = append(list, p)
	}
	return list, nil
}

// lookAtSource: a source that is gone is Sources' error, not ours: the same plan
// is made again to undo a container whose volume has vanished.
func (m *Mount) lookAtSource() {
	look := os.Stat
	if m.sourceNoFollow {
		look = os.Lstat
	}
	info, err := look(m.Source)
	m.file = err == nil && !info.IsDir()
	if m.copyLink {
		m.link, _ = os.Readlink(m.Source) // "" for what is no link: bound as usual
	}
}

// wellKnown are the mounts that every container has, with what each is for.
var wellKnown = map[string]struct{ name, why string }{
	"/proc":          {"proc", "a proc file system of the new pid namespace: ps and top see the container's processes only"},
	"/dev":           {"dev", "an empty tmpfs for a handful of harmless device nodes instead of the host's /dev"},
	"/dev/pts":       {"devpts", "terminals of its own: numbers start at 0 and no other container's terminal can be opened"},
	"/dev/shm":       {"shm", "POSIX shared memory with a size limit of its own"},
	"/dev/mqueue":    {"mqueue", "POSIX message queues of the new ipc namespace"},
	"/sys":           {"sys", "sysfs as seen from the new net namespace, read-only: devices and kernel settings are the host's"},
	"/sys/fs/cgroup": {"cgroup", "the container's own cgroups, so that the program can read its limits"},
}

func (m Mount) stepName() string {
	if w, ok := wellKnown[m.Destination]; ok && !m.bind {
		return "rootfs." + w.name
	}
	if m.bind {
		return "rootfs.volume:" + m.Destination
	}
	return "rootfs.mount:" + m.Destination
}

func (m Mount) why() string {
	if w, ok := wellKnown[m.Destination]; ok && !m.bind {
		return w.why
	}
	if m.bind {
		return "a directory or file of the host, taken before the pivot, appears in the container"
	}
	return "a file system of its own at " + m.Destination
}

// Sources takes detached copies of what comes from the host, while its paths
// can still be named: bind mounts, and /dev/null if files will be masked.
// Before Private: a copy of a shared mount can then stay shared on request.
func Sources(mounts []Mount, masks bool) step.Step {
	calls := []kernel.Call{kernel.Umask(0)}
	for _, m := range mounts {
		if m.early {
			calls = append(calls, m.makeFS(m.slot)...)
		}
		if m.bind && !m.taken && m.inner == "" {
			calls = append(calls, m.openSource()...)
		}
	}
	if masks {
		calls = append(calls, kernel.OpenTree(kernel.AtFDCWD, "/dev/null", cloneTree).Into(nullSlot))
	}
	return step.Step{
		Name: "rootfs.sources", Topic: book.Volumes, Side: step.Inside, Calls: calls,
		Why:  "take hold of the host's directories that become volumes before the host's tree is out of reach",
		Rule: "a detached mount goes with its last descriptor",
	}
}

// openSource takes the source, and maps its owners while nobody has seen it.
func (m Mount) openSource() []kernel.Call {
	return append(m.takeSource(), m.mapOwners()...)
}

func (m Mount) mapOwners() []kernel.Call {
	if m.userns == "" {
		return nil
	}
	return []kernel.Call{kernel.MountIDMap(kernel.FD(m.slot), "", at(m.ridmap), m.userns).For(m.Source)}
}

func (m Mount) takeSource() []kernel.Call {
	if m.link != "" {
		return nil
	}
	flags := m.treeFlags()
	if pid, path, ok := insideOf(m.Source); ok {
		return visit(pid, kernel.OpenTree(kernel.AtFDCWD, path, flags).Into(m.slot))
	}
	if m.subpath != "" {
		const volume, part kernel.Slot = "volume", "part"
		return []kernel.Call{
			kernel.Openat(kernel.AtFDCWD, m.Source, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(volume),
			kernel.Openat2(kernel.FD(volume), m.subpath, unix.O_PATH|unix.O_CLOEXEC, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_MAGICLINKS).Into(part),
			kernel.OpenTree(kernel.FD(part), "", flags|unix.AT_EMPTY_PATH).Into(m.slot),
			kernel.Close(kernel.FD(part)), kernel.Close(kernel.FD(volume)),
		}
	}
	return []kernel.Call{kernel.OpenTree(kernel.AtFDCWD, m.Source, flags).Into(m.slot)}
}

func (m Mount) treeFlags() uint {
	flags := uint(cloneTree)
	if m.sourceNoFollow {
		flags |= unix.AT_SYMLINK_NOFOLLOW
	}
	if m.recursive {
		flags |= unix.AT_RECURSIVE
	}
	return flags
}

// insideOf takes apart the path of something that another process sees:
// /proc/PID/root/PATH.
func insideOf(source string) (pid, path string, ok bool) {
	rest, ok := strings.CutPrefix(source, "/proc/")
	if !ok {
		return "", "", false
	}
	pid, path, ok = strings.Cut(rest, "/root/")
	return pid, "/" + path, ok && pid != "" && strings.Trim(pid, "0123456789") == ""
}

// visit does a call in the mount namespace of another container and comes
// back. The kernel copies mounts of the caller's own namespace only, so the
// path /proc/PID/root/… would do for reading files but not for open_tree.
func visit(pid string, do kernel.Call) []kernel.Call {
	const home, there kernel.Slot = "home", "there"
	open := func(path string, slot kernel.Slot) kernel.Call {
		return kernel.Openat(kernel.AtFDCWD, path, unix.O_RDONLY|unix.O_CLOEXEC, 0).Into(slot)
	}
	return []kernel.Call{
		open("/proc/self/ns/mnt", home), open("/proc/"+pid+"/ns/mnt", there),
		kernel.Setns(kernel.FD(there), unix.CLONE_NEWNS), do, kernel.Setns(kernel.FD(home), unix.CLONE_NEWNS),
		kernel.Close(kernel.FD(there)), kernel.Close(kernel.FD(home)),
	}
}

// Attach mounts m in the container's tree, after the pivot.
func (m Mount) Attach() step.Step {
	var calls []kernel.Call
	switch {
	case m.link != "":
		calls = m.attachLink()
	case m.bind:
		calls = m.attachBind()
	default:
		calls = m.attachNew()
	}
	topic := book.Namespaces
	if m.bind {
		topic = book.Volumes
	}
	return step.Step{
		Name: m.name, Topic: topic, Side: step.Inside, Why: m.why(), Calls: calls,
		Rule: "the mount table vanishes with its namespace",
	}
}

const (
	fsSlot     kernel.Slot = "fs"
	mountSlot  kernel.Slot = "mount"
	targetSlot kernel.Slot = "target"
	targetDir  kernel.Slot = "target-dir"
)

func (m Mount) attachBind() []kernel.Call {
	tree := kernel.FD(m.slot)
	calls := m.openInner()
	if m.destNoFollow {
		calls = append(calls, m.targetItself()...)
	} else {
		calls = append(calls, kernel.MakeInRoot(m.Destination, m.file, 0, targetSlot)...)
	}
	if m.ordered {
		again := m.slot + "-again"
		calls = append(calls, kernel.OpenTree(tree, "", cloneTree|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE).Into(again))
		tree = kernel.FD(again)
	}
	private := []propagation{{unix.MS_PRIVATE, true}} // docker's default; without one the mount would stay the host's peer
	for _, p := range append(private, m.propagation...) {
		calls = append(calls, kernel.MountSetattr(tree, "", at(p.recursive), 0, 0, p.flag))
	}
	calls = append(calls,
		kernel.MoveMount(tree, "", kernel.FD(targetSlot), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
			As(fmt.Sprintf("mount --bind %s .%s", m.Source, m.Destination)))
	clear := m.clear | m.implied
	if m.taken {
		clear &^= lockable & m.implied
	}
	if m.set|clear != 0 {
		calls = append(calls, kernel.MountSetattr(tree, "", at(false), m.set, clear, 0).
			As("mount -o remount,bind,"+strings.Join(m.Options, ",")+" ."+m.Destination))
	}
	if m.rset|m.rclear != 0 {
		calls = append(calls, kernel.MountSetattr(tree, "", at(true), m.rset, m.rclear, 0))
	}
	return calls
}

// targetItself opens the destination without following it: what is mounted over
// may be a link.
func (m Mount) targetItself() []kernel.Call {
	dir, name := path.Split(m.Destination)
	make := kernel.Mkdirat(kernel.FD(targetDir), name, 0o755).As("mkdir " + m.Destination)
	if m.file {
		make = kernel.MknodFileAt(kernel.FD(targetDir), name, 0o644).As("touch " + m.Destination)
	}
	return append(kernel.MakeInRoot(path.Clean(dir), false, 0, targetDir),
		make.Allowing(unix.EEXIST, unix.EROFS),
		kernel.Openat2(kernel.FD(targetDir), name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_MAGICLINKS).Into(targetSlot))
}

// attachLink copies a link. One that is there already stays.
func (m Mount) attachLink() []kernel.Call {
	dir, name := path.Split(m.Destination)
	return append(kernel.MakeInRoot(path.Clean(dir), false, 0, targetDir),
		kernel.Symlinkat(m.link, kernel.FD(targetDir), name).Allowing(unix.EEXIST).As("ln -s "+m.link+" "+m.Destination))
}

func at(recursive bool) int {
	if recursive {
		return unix.AT_EMPTY_PATH | unix.AT_RECURSIVE
	}
	return unix.AT_EMPTY_PATH
}

func (m Mount) attachNew() []kernel.Call {
	resolve := uint64(0)
	if _, ok := wellKnown[m.Destination]; ok {
		// Programs trust what they find at these places; an image that puts a
		// link there gets an error and not a /proc that is something else.
		resolve = unix.RESOLVE_NO_SYMLINKS
	}
	calls, mount := kernel.MakeInRoot(m.Destination, false, resolve, targetSlot), mountSlot
	if m.early {
		mount = m.slot
	} else {
		calls = append(calls, m.makeFS(mountSlot)...)
	}
	if len(m.above) > 0 {
		calls = append(calls, m.copyUpTo(mount)...)
		if m.set&unix.MOUNT_ATTR_RDONLY != 0 {
			calls = append(calls, kernel.MountSetattr(kernel.FD(mount), "", at(false), unix.MOUNT_ATTR_RDONLY, 0, 0))
		}
	}
	calls = append(calls,
		kernel.MoveMount(kernel.FD(mount), "", kernel.FD(targetSlot), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH).
			As(m.mountCommand()))
	for _, p := range m.propagation {
		calls = append(calls, kernel.MountSetattr(kernel.FD(mount), "", at(p.recursive), 0, 0, p.flag))
	}
	return calls
}

// makeFS makes a detached mount of a new file system in slot mount.
func (m Mount) makeFS(mount kernel.Slot) []kernel.Call {
	fs, attrs := kernel.FD(fsSlot), m.fsAttrs()
	if len(m.above) > 0 {
		attrs &^= unix.MOUNT_ATTR_RDONLY // when it is filled
	}
	calls := []kernel.Call{kernel.Fsopen(m.Type).Into(fsSlot)}
	if m.Source != "" {
		calls = append(calls, kernel.FsconfigString(fs, "source", m.Source))
	}
	for _, o := range m.data {
		if key, value, ok := strings.Cut(o, "="); ok {
			calls = append(calls, kernel.FsconfigString(fs, key, value))
		} else {
			calls = append(calls, kernel.FsconfigFlag(fs, o))
		}
	}
	return append(calls, kernel.FsconfigCreate(fs), kernel.Fsmount(fs, attrs).Into(mount))
}

func (m Mount) mountCommand() string {
	cmd := "mount -t " + m.Type
	if len(m.Options) > 0 {
		cmd += " -o " + strings.Join(m.Options, ",")
	}
	source := m.Source
	if source == "" {
		source = "none"
	}
	return cmd + " " + source + " " + m.Destination
}
