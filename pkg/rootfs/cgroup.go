package rootfs

import (
	"fmt"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Hierarchy is a cgroup hierarchy as it is mounted in a container.
type Hierarchy struct {
	Name string // of the directory below /sys/fs/cgroup, "" for the whole
	Dir  string // the container's own group there, on the host
}

func cgroupSlot(i int) kernel.Slot { return kernel.Slot(fmt.Sprintf("cgroup-%d", i)) }

// CgroupSources takes copies of the container's own groups, before the pivot,
// for hierarchies of v1. Bound, they look the same as mounted anew: the root of
// the cgroup namespace is the group. But a new mount of a v1 hierarchy first
// waits until all groups that were removed lately are gone: 10 ms after the end
// of another container.
func CgroupSources(hierarchies []Hierarchy) step.Step {
	var calls []kernel.Call
	for i, h := range hierarchies {
		if h.Name != "" {
			calls = append(calls, kernel.OpenTree(kernel.AtFDCWD, h.Dir, cloneTree).Into(cgroupSlot(i)))
		}
	}
	return step.Step{
		Name: "rootfs.cgroup-sources", Topic: book.Cgroups, Side: step.Inside, Calls: calls,
		Why:  "the container gets to see its own groups of each hierarchy; take hold of them while their paths can be named",
		Rule: "a detached mount goes with its last descriptor",
	}
}

// Cgroup mounts the container's cgroups at m's destination. Through the cgroup
// namespace each hierarchy shows the container's own group as its root. A
// single cgroup2 takes the place itself; several hierarchies get a small tmpfs
// with a directory each, read-only once they are in it.
func (m Mount) Cgroup(hierarchies []Hierarchy) step.Step {
	var calls []kernel.Call
	if len(hierarchies) == 1 && hierarchies[0].Name == "" {
		m.Type, m.Source = "cgroup2", "cgroup"
		calls = m.attachNew()
	} else {
		base := m
		base.Type, base.Source, base.data, base.set = "tmpfs", "cgroup", []string{"mode=755"}, m.set&^unix.MOUNT_ATTR_RDONLY
		calls = base.attachNew()
		for i, h := range hierarchies {
			calls = append(calls, m.bindCgroup(cgroupSlot(i), m.Destination+"/"+h.Name)...)
		}
		calls = append(calls, kernel.MountSetattr(kernel.AtFDCWD, m.Destination, 0, unix.MOUNT_ATTR_RDONLY, 0, 0).
			As("mount -o remount,bind,ro "+m.Destination))
	}
	return step.Step{
		Name: m.name, Topic: book.Cgroups, Side: step.Inside, Why: m.why(), Calls: calls,
		Rule: "the mount table vanishes with its namespace",
	}
}

// bindCgroup: the directory lies on our own tmpfs, where no link can stand.
func (m Mount) bindCgroup(tree kernel.Slot, dir string) []kernel.Call {
	return []kernel.Call{
		kernel.Mkdir(dir, 0o755),
		kernel.MountSetattr(kernel.FD(tree), "", unix.AT_EMPTY_PATH, m.set, 0, unix.MS_PRIVATE),
		kernel.MoveMount(kernel.FD(tree), "", kernel.AtFDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH).As("mount --bind " + dir),
	}
}
