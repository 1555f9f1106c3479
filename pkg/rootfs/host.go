package rootfs

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

const cloneTree = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC

// HostSources is Sources for containers with a user namespace: the host takes
// hold of what comes from it, for the child's root is a stranger there who may
// not even be able to enter the directory of its own root. The child inherits
// the descriptors. root is empty where an overlay is the root.
func HostSources(mounts []Mount, masks bool, devices []specs.LinuxDevice, root string) step.Step {
	var calls []kernel.Call
	if root != "" {
		// Where mounts are shared, as systemd makes them, the copy would be too, and
		// pivot_root refuses such a root.
		calls = append(calls, kernel.OpenTree(kernel.AtFDCWD, root, cloneTree|unix.AT_RECURSIVE).Into(step.Root),
			kernel.MountSetattr(kernel.FD(step.Root), "", at(true), 0, 0, unix.MS_SLAVE))
	}
	for _, m := range mounts {
		if m.bind && m.inner == "" {
			calls = append(calls, m.openSource()...)
		}
	}
	if masks {
		calls = append(calls, kernel.OpenTree(kernel.AtFDCWD, "/dev/null", cloneTree).Into(nullSlot))
	}
	calls = append(calls, takeDevices(devices)...)
	return step.Step{
		Name: "rootfs.host-sources", Topic: book.Volumes, Side: step.Host, Calls: calls,
		Why:  "root of a user namespace is nobody on the host; take hold of the host's directories and devices before becoming that",
		Rule: "a detached mount goes with its last descriptor",
	}
}

// ReleaseSources closes the host's descriptors of them, and those in more, when
// the child has its own.
func ReleaseSources(sources step.Step, more ...kernel.Slot) step.Step {
	closed := make(map[string]bool)
	for _, c := range sources.Calls {
		closed[c.String()] = c.Name == "close"
	}
	var calls []kernel.Call
	for _, c := range sources.Calls {
		if c.Save != "" {
			more = append(more, c.Save)
		}
	}
	for _, s := range more {
		if c := kernel.Close(kernel.FD(s)); !closed[c.String()] {
			calls = append(calls, c)
		}
	}
	return step.Step{
		Name: "rootfs.release-sources", Topic: book.Volumes, Side: step.Host, Calls: calls,
		Why:  "the new process has its own descriptors of them",
		Rule: "a closed descriptor leaves nothing",
	}
}

// Taken marks bind mounts whose source HostSources has taken.
func Taken(mounts []Mount) []Mount {
	taken := slices.Clone(mounts)
	for i := range taken {
		taken[i].taken = true
	}
	return taken
}

// BindTaken is Bind for a root that HostSources has taken. It goes on top of
// "/", the one place that is there for sure, until it becomes "/" itself. Hooks
// look for it in its own place: with inPlace it goes there, if this process may
// enter the directories above.
func BindTaken(dir string, inPlace bool) step.Step {
	const bound kernel.Slot = "root-in-place"
	bind := kernel.MoveMount(kernel.FD(step.Root), "", kernel.AtFDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH).As("mount --rbind " + dir + " /")
	calls := []kernel.Call{bind}
	if inPlace {
		there := kernel.MoveMount(kernel.FD(step.Root), "", kernel.AtFDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH).As("mount --rbind " + dir + " " + dir)
		calls = []kernel.Call{there.Allowing(unix.EACCES).Into(bound), bind.IfFailed(bound)}
	}
	return step.Step{
		Name: "rootfs.bind", Topic: book.CopyOnWrite, Side: step.Inside, Calls: calls,
		Why:  "pivot_root accepts only a mount point as the new root",
		Rule: "the mount exists in the container's mount namespace only and goes with it",
		Risk: "without a root of its own the container would run on the host's",
	}
}

// Confine is for a container without a mount namespace of its own: it shares
// the mounts of the host, or of the namespace it joined, and only its root
// directory is another one. What it mounts is visible outside; Unmount takes
// it away.
func Confine(dir string) step.Step {
	return step.Step{
		Name: "rootfs.confine", Topic: book.Namespaces, Side: step.Inside,
		Why: "without a mount namespace of its own the container cannot change what \"/\" is, only where it looks for it",
		Calls: []kernel.Call{
			kernel.Openat(kernel.AtFDCWD, dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(step.Root),
			kernel.Fchdir(kernel.FD(step.Root)),
			kernel.Chroot(".").As("chroot " + dir),
			kernel.Chdir("/"),
		},
		Rule: "a root directory belongs to the process",
		Risk: "the container would have the host's whole file system as its own",
	}
}

// ReachRoot and FollowRoot take one more process to the root directory of the
// container whose first process is pid, where that is not the root of its mount
// namespace (see Confine).
func ReachRoot(pid int) step.Step {
	return step.Step{
		Name: "rootfs.reach-root", Topic: book.Namespaces, Side: step.Inside,
		Why:   "the container has no mount namespace of its own: its root directory is found through its first process",
		Calls: []kernel.Call{kernel.Openat(kernel.AtFDCWD, fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(step.Root)},
		Rule:  "a descriptor ends with its process",
	}
}

// FollowRoot comes after the namespaces are joined.
func FollowRoot() step.Step {
	return step.Step{
		Name: "rootfs.follow-root", Topic: book.Namespaces, Side: step.Inside,
		Why:   "see the files that the container sees",
		Calls: []kernel.Call{kernel.Fchdir(kernel.FD(step.Root)), kernel.Chroot(".").As("chroot ."), kernel.Chdir("/"), kernel.Close(kernel.FD(step.Root))},
		Rule:  "a root directory belongs to the process",
		Risk:  "the process would run on the host's files",
	}
}

// Unmount stands for what a container without a mount namespace of its own will
// mount below dir; its undo unmounts that.
func Unmount(dir string) step.Step {
	return step.Step{
		Name: "rootfs.unmount", Topic: book.Namespaces, Side: step.Host,
		Why: "the container will mount in a namespace that outlives it: note that this has to be undone",
		// Safe to run twice: it looks at what is mounted.
		Undo: func(do step.Do) error {
			points, err := mountsBelow(dir)
			if err != nil {
				return err
			}
			for _, p := range points {
				if err := do(kernel.Umount2(p, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)); err != nil {
					return fmt.Errorf("unmount %s: %w", p, err)
				}
			}
			return nil
		},
	}
}

// mountsBelow lists mount points below dir, the last mounted first.
func mountsBelow(dir string) ([]string, error) {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	defer f.Close()
	return mountPoints(f, func(point, _ string) bool { return strings.HasPrefix(point, dir+"/") })
}

// mountPoints lists those of a mountinfo table (proc_pid_mountinfo(5)) that are
// wanted, by mount point and type; what is below comes first.
func mountPoints(table io.Reader, wanted func(point, kind string) bool) ([]string, error) {
	var points []string
	lines := bufio.NewScanner(table)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		fields, kind := strings.Fields(before), strings.Fields(after)
		if len(fields) < 5 || len(kind) == 0 {
			continue
		}
		point := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		if wanted(point, kind[0]) {
			points = append(points, point)
		}
	}
	slices.SortFunc(points, func(a, b string) int { return strings.Compare(b, a) })
	return points, lines.Err()
}

// BareMounts lists the host's proc and sysfs mounts outside of root, for Chroot.
func BareMounts(root string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	defer f.Close()
	return mountPoints(f, func(point, kind string) bool {
		return (kind == "proc" || kind == "sysfs") && point != root && !strings.HasPrefix(point, root+"/")
	})
}
