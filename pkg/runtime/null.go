package runtime

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// OpenNull opens /dev/null for another runtime's use. Runtimes make the
// container's user the owner of its standard streams, some of them (crun before
// 1.9) without looking what these are; and then the machine's /dev/null is
// somebody's. So the descriptor comes from a copy of the mount that is
// read-only: device files can be written to all the same, but not be changed.
func OpenNull() (int, error) {
	tree, err := unix.OpenTree(unix.AT_FDCWD, os.DevNull, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("take %s: %w", os.DevNull, err)
	}
	defer unix.Close(tree)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return -1, fmt.Errorf("make a copy of %s read-only: %w", os.DevNull, err)
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", tree), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	return fd, nil
}
