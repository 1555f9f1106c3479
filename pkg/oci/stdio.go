package oci

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// giveStdio makes the program's user the owner of our standard streams, which
// become the program's: who logs to /dev/stdout opens it anew, and the kernel
// then asks for permission (proc_pid_fd(5)). Only pipes, sockets and files; a
// device, such as /dev/null or the user's terminal, belongs to the host. Where
// it cannot be done the stream stays as it is: most programs do not mind.
func giveStdio(user specs.User, s *specs.Spec) {
	uid, gid := int(user.UID), int(user.GID)
	if s.Linux != nil {
		uid, gid = hostID(user.UID, s.Linux.UIDMappings), hostID(user.GID, s.Linux.GIDMappings)
	}
	if uid == 0 { // may open everything
		return
	}
	for fd := range 3 {
		var stat unix.Stat_t
		if unix.Fstat(fd, &stat) != nil || int(stat.Uid) == uid {
			continue
		}
		switch stat.Mode & unix.S_IFMT {
		case unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFREG:
			_ = unix.Fchown(fd, uid, gid)
		}
	}
}

// hostID is who stands behind an id of the container on the host.
func hostID(id uint32, maps []specs.LinuxIDMapping) int {
	for _, m := range maps {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return int(m.HostID + id - m.ContainerID)
		}
	}
	return int(id)
}
