package runtime

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ownerInside are the ids by which the container knows an owner on the host, -1
// for one that it does not know.
func (b *builder) ownerInside(uid, gid uint32) (int, int) {
	if !b.userns() {
		return int(uid), int(gid)
	}
	return inside(b.spec.Linux.UIDMappings, uid), inside(b.spec.Linux.GIDMappings, gid)
}

func inside(maps []specs.LinuxIDMapping, id uint32) int {
	for _, m := range maps {
		if id >= m.HostID && id-m.HostID < m.Size {
			return int(m.ContainerID + id - m.HostID)
		}
	}
	return -1
}

// hostOwned are devices with the host's ids for their owners: the host makes
// those that it lacks itself.
func (b *builder) hostOwned(devices []specs.LinuxDevice) []specs.LinuxDevice {
	own := slices.Clone(devices)
	for i, d := range own {
		own[i].UID, own[i].GID = onHost(b.spec.Linux.UIDMappings, d.UID), onHost(b.spec.Linux.GIDMappings, d.GID)
	}
	return own
}

// onHost is who an id of the container is on the host; none means root there.
func onHost(maps []specs.LinuxIDMapping, id *uint32) *uint32 {
	var inside uint32
	if id != nil {
		inside = *id
	}
	for _, m := range maps {
		if inside >= m.ContainerID && inside-m.ContainerID < m.Size {
			outside := m.HostID + inside - m.ContainerID
			return &outside
		}
	}
	return nil
}
