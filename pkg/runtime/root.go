package runtime

import (
	"fmt"
	"path/filepath"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/overlay"
	"minictr/pkg/rootfs"
)

// mounts are the configuration's, as they can be made here.
func (b *builder) mounts() ([]rootfs.Mount, error) {
	all := b.spec.Mounts
	if b.ns.Has(unix.CLONE_NEWUSER) && !b.ns.Has(unix.CLONE_NEWNET) {
		all = rootfs.BoundSys(all)
	}
	mounts, err := rootfs.Parse(all)
	if err == nil && b.c.Overlay == nil {
		mounts = rootfs.Over(b.rootPath(), mounts)
		err = rootfs.CopyUp(b.rootPath(), mounts, b.ownerInside)
	}
	return mounts, err
}

// sources has the host take hold of what comes from it, where the child could
// not: in a user namespace its root is nobody. It is also the place to note
// what a container without a mount namespace of its own will leave mounted.
func (b *builder) sources(mounts []rootfs.Mount) {
	if !b.ns.Has(unix.CLONE_NEWNS) {
		b.add(rootfs.Unmount(b.rootPath()))
	}
	if !b.userns() || !b.ns.Has(unix.CLONE_NEWNS) {
		return
	}
	root := ""
	if b.c.Overlay == nil {
		root = b.rootPath()
	}
	b.taken = rootfs.HostSources(mounts, len(b.masked()) > 0, b.hostOwned(b.devices()), root)
	b.add(b.taken)
	if b.c.Overlay != nil {
		b.mappedOverlay()
	}
}

// root makes the container's root directory "/", with everything from outside
// that the mounts will need in hand.
func (b *builder) root(mounts []rootfs.Mount, devices []specs.LinuxDevice) {
	switch {
	case !b.ns.Has(unix.CLONE_NEWNS):
		b.sharedRoot(mounts, devices)
		return
	case b.userns():
		for i, m := range rootfs.Taken(mounts) {
			mounts[i] = m.Early()
		}
		b.add(rootfs.Sources(mounts, false))
	default:
		for i, m := range mounts {
			switch {
			case m.UsesHostPaths():
				mounts[i] = m.Early()
			case b.c.Ordered && copiesDetached():
				mounts[i] = m.InOrder()
			}
		}
		b.add(rootfs.Sources(mounts, len(b.masked()) > 0))
	}
	b.cgroupSources(mounts)
	b.add(rootfs.Private(unix.MS_SLAVE))
	switch {
	case b.c.Overlay != nil && !b.userns():
		b.add(overlay.Mount(*b.c.Overlay, filepath.Join(b.c.Bundle, "rootfs")))
	case b.userns():
		b.add(rootfs.BindTaken(b.rootPath(), b.hasHooks()))
	default:
		b.add(rootfs.Bind(b.rootPath()))
	}
	if b.hasHooks() {
		b.add(rootfs.StepIn())
	} else {
		b.pivot()
	}
}

// meetHooks: hooks are promised a root with all mounts in it, and the host's
// files beside it. Until they have run the process has only its root directory
// changed. That keeps paths of the container inside just as the pivot does.
func (b *builder) meetHooks() {
	if !b.hasHooks() {
		return
	}
	b.hooks()
	if b.ns.Has(unix.CLONE_NEWNS) {
		b.add(rootfs.StepOut())
		b.pivot()
	}
}

func (b *builder) pivot() {
	if b.c.NoPivot {
		bare, err := rootfs.BareMounts(b.rootPath())
		b.try(rootfs.Chroot(bare), err)
		return
	}
	b.add(rootfs.Pivot(unix.MS_SLAVE))
}

func (b *builder) cgroupSources(mounts []rootfs.Mount) {
	if slices.ContainsFunc(mounts, func(m rootfs.Mount) bool { return m.Type == "cgroup" }) {
		b.addIfAny(rootfs.CgroupSources(b.hierarchies()))
	}
}

// sharedRoot is the root of a container that shares a mount namespace.
func (b *builder) sharedRoot(mounts []rootfs.Mount, devices []specs.LinuxDevice) {
	switch {
	case b.c.Overlay != nil:
		b.fail(fmt.Errorf("an overlay needs a mount namespace of the container's own"))
	case b.spec.Root.Readonly:
		b.fail(fmt.Errorf("a read-only root needs a mount namespace of the container's own"))
	}
	b.add(rootfs.Sources(mounts, len(b.masked()) > 0))
	if b.userns() {
		b.add(rootfs.DeviceSources(devices))
	}
	b.cgroupSources(mounts)
	b.add(rootfs.Confine(b.rootPath()))
}

// copiesDetached reports whether open_tree copies detached mounts.
func copiesDetached() bool { return kernel.AtLeast(6, 15) }
