package runtime

import (
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
