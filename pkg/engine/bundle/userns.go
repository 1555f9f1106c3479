package bundle

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// IDRange are the users and groups of the host that stand behind those of a
// container with a user namespace: 0 there is UID here, 1 is UID+1, and so on.
type IDRange struct {
	UID  uint32 `json:"uid"`
	GID  uint32 `json:"gid"`
	Size uint32 `json:"size"`
}

// apply gives the configuration the user namespace. What comes from the host is
// mapped: its files have the owners in the container that they have on disk.
func (r *IDRange) apply(spec *specs.Spec) {
	l := spec.Linux
	l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	l.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: r.UID, Size: r.Size}}
	l.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: r.GID, Size: r.Size}}
	for i, m := range spec.Mounts {
		switch {
		case m.Type != "bind":
		case slices.Contains(m.Options, "rbind"):
			spec.Mounts[i].Options = append(m.Options, "ridmap")
		default:
			spec.Mounts[i].Options = append(m.Options, "idmap")
		}
	}
}

// Check refuses an identity that is nobody in the range.
func (r *IDRange) Check(id Identity) error {
	for _, n := range append([]uint32{id.UID, id.GID}, id.Groups...) {
		if n >= r.Size {
			return fmt.Errorf("user or group %d is none of the %d that the container's user namespace has: ask for more with --userns auto:size=N", n, r.Size)
		}
	}
	return nil
}
