package archive

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// IDs are the users and groups of a container with a user namespace, as who
// looks at its files from the host sees them: UID and GID are 0 in the
// container, and so on for Size of them. The zero value is for files whose
// owners are the same on either side.
type IDs struct{ UID, GID, Size uint32 }

// nobody is who owns what has no owner in the container.
const nobody = 65534

// inside is a file's owner as the container sees it.
func (m IDs) inside(uid, gid uint32) (int, int) {
	if m.Size == 0 {
		return int(uid), int(gid)
	}
	shift := func(id, first uint32) int {
		if id < first || id-first >= m.Size {
			return nobody
		}
		return int(id - first)
	}
	return shift(uid, m.UID), shift(gid, m.GID)
}

// outside is who o, in the container, is on the host.
func (m IDs) outside(o Owner) (Owner, error) {
	if m.Size == 0 {
		return o, nil
	}
	if o.UID >= int(m.Size) || o.GID >= int(m.Size) {
		return o, fmt.Errorf("the container's user namespace has %d users and groups, and %d:%d is not among them", m.Size, o.UID, o.GID)
	}
	return Owner{int(m.UID) + o.UID, int(m.GID) + o.GID}, nil
}

// Become lets the calling thread make files there that belong to the
// container's root: the host's own root has no place in its file systems. The
// thread keeps its capabilities (capabilities(7), "securebits"), and is of no
// other use afterwards.
func (m IDs) Become() error {
	if m.Size == 0 {
		return nil
	}
	const noFixup = 1 << 2 // SECBIT_NO_SETUID_FIXUP
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, noFixup, 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities as another user: %w", err)
	}
	if err := errors.Join(unix.Setfsgid(int(m.GID)), unix.Setfsuid(int(m.UID))); err != nil {
		return fmt.Errorf("make files as user %d: %w", m.UID, err)
	}
	return nil
}
