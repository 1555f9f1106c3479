package rootfs

import (
	"fmt"

	"minictr/pkg/kernel"
)

// An idmapped mount shows files with other owners than they have on disk, and
// gives new files other owners than who made them (mount_setattr(2),
// MOUNT_ATTR_IDMAP, Linux 5.12). What is what says a user namespace with id
// maps: an id inside of it is one on disk, the same id outside is who the host
// takes it for. With the maps of a container's own user namespace its root is
// the owner of what belongs to root on disk.

// IDMapped reports whether m is to be an idmapped mount: its options say so, or
// it comes with maps (runtime-spec config.md, "Mounts").
func (m Mount) IDMapped() bool { return m.idmap || m.OwnMaps() }

// OwnMaps reports whether m comes with id maps of its own. Without, the
// container's are meant.
func (m Mount) OwnMaps() bool { return len(m.UIDMappings)+len(m.GIDMappings) > 0 }

// CheckMaps refuses what the specification forbids.
func (m Mount) CheckMaps() error {
	switch {
	case !m.IDMapped():
		return nil
	case !m.bind:
		return fmt.Errorf("mount %s: only a bind mount can be an idmapped one: a new file system has the owners of its user namespace", m.Destination)
	case m.OwnMaps() && (len(m.UIDMappings) == 0 || len(m.GIDMappings) == 0):
		return fmt.Errorf("mount %s: uidMappings and gidMappings come together or not at all", m.Destination)
	}
	return nil
}

// Map makes m an idmapped mount, with the maps of the user namespace whose
// descriptor will be in slot userns.
func (m Mount) Map(userns kernel.Slot) Mount {
	m.userns = userns
	return m
}
