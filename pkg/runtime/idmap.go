package runtime

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/namespace"
	"minictr/pkg/overlay"
	"minictr/pkg/rootfs"
	"minictr/pkg/step"
)

// idMaps are id maps that mounts of the plan want, and the slot of the user
// namespace that stands for them.
type idMaps struct {
	uids, gids []specs.LinuxIDMapping
	slot       kernel.Slot
}

// joinedMaps is the slot of a user namespace that exists already.
const joinedMaps kernel.Slot = "id-maps-joined"

// idmaps prepares the idmapped mounts: a user namespace for each different set
// of maps.
func (b *builder) idmaps(mounts []rootfs.Mount) {
	for i, m := range mounts {
		switch err := m.CheckMaps(); {
		case err != nil:
			b.fail(err)
		case !m.IDMapped():
		case m.OwnMaps():
			mounts[i] = m.Map(b.userNamespaceWith(m.UIDMappings, m.GIDMappings))
		case b.userns():
			mounts[i] = m.Map(b.containerMaps())
		default:
			b.fail(fmt.Errorf("mount %s: idmap needs uidMappings and gidMappings, or a user namespace of the container", m.Destination))
		}
	}
}

// containerMaps is the slot of a user namespace that maps ids as the
// container's does.
func (b *builder) containerMaps() kernel.Slot {
	for _, j := range b.ns.Join {
		if j.Flag != unix.CLONE_NEWUSER {
			continue
		}
		if !slices.Contains(b.mapSlots, joinedMaps) {
			b.mapSlots = append(b.mapSlots, joinedMaps)
			b.add(namespace.MapsOf(j.Path, joinedMaps))
		}
		return joinedMaps
	}
	return b.userNamespaceWith(b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings)
}

func (b *builder) userNamespaceWith(uids, gids []specs.LinuxIDMapping) kernel.Slot {
	for _, m := range b.maps {
		if slices.Equal(m.uids, uids) && slices.Equal(m.gids, gids) {
			return m.slot
		}
	}
	suffix := ""
	if n := len(b.maps); n > 0 {
		suffix = fmt.Sprintf(":%d", n)
	}
	slot := kernel.Slot("id-maps" + suffix)
	b.maps = append(b.maps, idMaps{uids, gids, slot})
	b.mapSlots = append(b.mapSlots, slot)
	b.add(namespace.Maps(uids, gids, slot, suffix))
	return slot
}

// mappedOverlay has the host mount the overlay of a container with a user
// namespace.
func (b *builder) mappedOverlay() {
	uid, known := hostID(b.spec.Linux.UIDMappings)
	gid, both := hostID(b.spec.Linux.GIDMappings)
	if !b.ns.Has(unix.CLONE_NEWUSER) || !known || !both {
		b.fail(fmt.Errorf("an overlay needs a user namespace of the container's own, with maps for user and group 0"))
		return
	}
	b.add(overlay.MountMapped(*b.c.Overlay, b.rootPath(), overlay.Mapping{UserNS: b.containerMaps(), UID: uid, GID: gid}))
	b.lent = append(b.lent, step.Root)
}

// hostID is who root of the container is on the host.
func hostID(maps []specs.LinuxIDMapping) (id uint32, ok bool) {
	for _, m := range maps {
		if m.ContainerID == 0 && m.Size > 0 {
			return m.HostID, true
		}
	}
	return 0, false
}
