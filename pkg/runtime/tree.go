package runtime

import (
	"path/filepath"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
	"minictr/pkg/rootfs"
	"minictr/pkg/terminal"
)

// tree: the container's file tree, from the first mount to the last mask.
func (b *builder) tree(mounts []rootfs.Mount) {
	l := b.spec.Linux
	devices := b.devices()
	b.root(mounts, devices)
	made, bound := false, false // /dev
	for _, m := range mounts {
		if m.Type == "cgroup" {
			b.add(m.Cgroup(b.hierarchies()))
			continue
		}
		b.add(m.Attach())
		if m.Destination == "/dev" {
			bound = m.Binds()
		}
		if m.Destination == "/dev" && !bound {
			made = true
			b.add(rootfs.Devices(devices, b.userns()))
		}
	}
	switch {
	case made:
	case !bound && b.ns.Has(unix.CLONE_NEWNS): // the specification promises the standard ones
		b.add(rootfs.Devices(devices, b.userns()))
	case len(l.Devices) > 0:
		b.add(rootfs.Devices(l.Devices, b.userns()))
	}
	if b.io.Terminal {
		b.add(terminal.Open(b.terminal(b.spec.Process)), terminal.Fetch(), terminal.Console(), terminal.Attach())
	}
	b.meetHooks()
	if slices.ContainsFunc(mounts, rootfs.Mount.Sealed) {
		b.add(rootfs.SealDev())
	}
}

// hierarchies are the cgroup hierarchies that the container gets to see: those
// it has a group of its own in.
func (b *builder) hierarchies() []rootfs.Hierarchy {
	h := b.cg.Hierarchy
	if h.Mode() == cgroup.V2 {
		return []rootfs.Hierarchy{{}}
	}
	var points []string
	for c, point := range h.V1 {
		if b.cg.Dir(c) != "" && !slices.Contains(points, point) {
			points = append(points, point)
		}
	}
	if h.Unified != "" {
		points = append(points, h.Unified)
	}
	slices.Sort(points)
	var list []rootfs.Hierarchy
	for _, point := range points {
		list = append(list, rootfs.Hierarchy{Name: filepath.Base(point), Dir: point + b.cg.Path})
	}
	return list
}

func (b *builder) terminal(p *specs.Process) terminal.Options {
	return terminal.Options{Width: b.io.Width, Height: b.io.Height, UID: int(p.User.UID), PlainLines: b.io.PlainLines}
}

func (b *builder) rootPath() string {
	if filepath.IsAbs(b.spec.Root.Path) {
		return filepath.Clean(b.spec.Root.Path)
	}
	return filepath.Join(b.c.Bundle, b.spec.Root.Path)
}

// devices are the standard nodes and those of the configuration, which may
// replace a standard one.
func (b *builder) devices() []specs.LinuxDevice {
	all := append([]specs.LinuxDevice{}, b.spec.Linux.Devices...)
	for _, d := range rootfs.StandardDevices() {
		replaced := false
		for _, own := range b.spec.Linux.Devices {
			replaced = replaced || own.Path == d.Path
		}
		if !replaced {
			all = append(all, d)
		}
	}
	return all
}

// masked are the paths to hide, each once.
func (b *builder) masked() []string {
	var list []string
	for _, p := range b.spec.Linux.MaskedPaths {
		if p = filepath.Clean(p); !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}
