package rootfs

import (
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Hierarchy is a cgroup hierarchy as it is mounted in a container.
type Hierarchy struct {
	Name        string   // of the directory below /sys/fs/cgroup, "" for the whole
	Controllers []string // of a v1 hierarchy; none: cgroup2
}

// Cgroup mounts the container's cgroups at m's destination. Through the cgroup
// namespace each hierarchy shows the container's own group as its root. A
// single cgroup2 takes the place itself; several v1 hierarchies get a small
// tmpfs with a directory each, read-only once they are in it.
func (m Mount) Cgroup(hierarchies []Hierarchy) step.Step {
	var calls []kernel.Call
	if len(hierarchies) == 1 && hierarchies[0].Name == "" {
		calls = m.cgroupFS(hierarchies[0]).attachNew()
	} else {
		base := m
		base.Type, base.Source, base.data, base.set = "tmpfs", "cgroup", []string{"mode=755"}, m.set&^unix.MOUNT_ATTR_RDONLY
		calls = base.attachNew()
		for _, h := range hierarchies {
			sub := m.cgroupFS(h)
			sub.Destination = m.Destination + "/" + h.Name
			calls = append(calls, sub.attachNew()...)
		}
		calls = append(calls, kernel.MountSetattr(kernel.AtFDCWD, m.Destination, 0, unix.MOUNT_ATTR_RDONLY, 0, 0).
			As("mount -o remount,bind,ro "+m.Destination))
	}
	return step.Step{
		Name: m.name, Topic: book.Cgroups, Side: step.Inside, Why: m.why(), Calls: calls,
		Rule: "the mount table vanishes with its namespace",
	}
}

func (m Mount) cgroupFS(h Hierarchy) Mount {
	m.data = append([]string(nil), h.Controllers...)
	m.Type, m.Source = "cgroup", "cgroup"
	if len(h.Controllers) == 0 {
		m.Type = "cgroup2"
	}
	m.Options = append(append([]string(nil), m.Options...), strings.Join(h.Controllers, ","))
	return m
}
