package bundle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/engine/config"
)

// DefaultShmSize is how much /dev/shm holds, docker's 64 MiB, in bytes.
const DefaultShmSize = 64 << 20

// kernelMounts are the file systems every container has, in docker's order.
func kernelMounts(in Input) []specs.Mount {
	shm := in.Config.ShmSize
	if shm == 0 {
		shm = DefaultShmSize
	}
	access := "ro"
	if in.Config.Privileged {
		access = "rw"
	}
	list := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", access}},
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"nosuid", "noexec", "nodev", "relatime", access}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", fmt.Sprintf("size=%d", shm)}},
	}
	switch { // a new mqueue mount shows the queues of the IPC namespace by itself
	case in.Shm != "":
		list[6] = specs.Mount{Destination: "/dev/shm", Type: "bind", Source: in.Shm, Options: []string{"rbind", "nosuid", "noexec", "nodev"}}
	case in.Config.Namespaces.IPC == "none":
		list = list[:6]
	}
	return list
}

// mounts lists everything that is mounted on the root: first what the kernel
// provides, except where the user wants something else, then files of ours and
// the user's mounts, each after the directories it lies in.
func mounts(in Input) []specs.Mount {
	taken := make(map[string]bool)
	for _, m := range in.Mounts {
		taken[m.Target] = true
	}
	list := slices.DeleteFunc(kernelMounts(in), func(m specs.Mount) bool {
		return taken[m.Destination] || taken["/dev"] && strings.HasPrefix(m.Destination, "/dev/")
	})
	var own []specs.Mount
	options := []string{"rbind", "rprivate"}
	if in.Config.ReadOnly { // they pass for files of the root
		options = append(options, "ro")
	}
	for _, target := range slices.Sorted(maps.Keys(in.Files)) {
		if !taken[target] {
			own = append(own, specs.Mount{Destination: target, Type: "bind", Source: in.Files[target], Options: options})
		}
	}
	for _, m := range in.Mounts {
		own = append(own, userMount(m))
	}
	slices.SortStableFunc(own, func(a, b specs.Mount) int { return cmp.Compare(depth(a.Destination), depth(b.Destination)) })
	return append(list, own...)
}

func depth(path string) int { return strings.Count(path, "/") }

func userMount(m config.Mount) specs.Mount {
	if m.Type == config.Tmpfs {
		return tmpfs(m)
	}
	if fs := m.FileSystem; fs != nil {
		options := slices.Clone(fs.Options)
		if m.ReadOnly {
			options = append(options, "ro")
		}
		return specs.Mount{Destination: m.Target, Type: fs.Type, Source: m.Source, Options: options}
	}
	bind := "rbind"
	if m.NonRecursive {
		bind = "bind"
	}
	propagation := m.Propagation
	if propagation == "" {
		propagation = "rprivate"
	}
	options := []string{bind, propagation}
	switch { // what is mounted below comes along, and would be writable still
	case m.ReadOnly && !m.NonRecursive && m.Below != "writable":
		options = append(options, "rro")
	case m.ReadOnly:
		options = append(options, "ro")
	}
	return specs.Mount{Destination: m.Target, Type: "bind", Source: m.Source, Options: options}
}

func tmpfs(m config.Mount) specs.Mount {
	options := []string{"nosuid", "nodev", "noexec"}
	if m.TmpfsOptions != "" {
		options = append(options, strings.Split(m.TmpfsOptions, ",")...)
	}
	if m.ReadOnly {
		options = append(options, "ro")
	}
	if m.TmpfsSize != 0 {
		options = append(options, fmt.Sprintf("size=%d", m.TmpfsSize))
	}
	if m.TmpfsMode != 0 {
		options = append(options, fmt.Sprintf("mode=%o", m.TmpfsMode))
	}
	return specs.Mount{Destination: m.Target, Type: "tmpfs", Source: "tmpfs", Options: options}
}
