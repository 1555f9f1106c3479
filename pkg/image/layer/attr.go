package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Extended attributes travel as PAX records under this prefix.
const paxXattr = "SCHILY.xattr."

// attributes puts back who owns the entry and how it may be used. The order
// matters: a change of owner clears the setuid bit and the file capabilities,
// a change of mode rewrites the mask of an access list.
func (u *unpacker) attributes(parent int, base, name string, h *tar.Header) error {
	if h.Typeflag == tar.TypeLink {
		return nil // the same inode as its target, which has them
	}
	if h.Uid < 0 || h.Gid < 0 || h.Uid >= math.MaxUint32 || h.Gid >= math.MaxUint32 {
		return fmt.Errorf("owner %d:%d is not a user and group ID", h.Uid, h.Gid)
	}
	if err := unix.Fchownat(parent, base, h.Uid, h.Gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set owner %d:%d: %w", h.Uid, h.Gid, err)
	}
	if h.Typeflag != tar.TypeSymlink { // Linux has no mode on links
		if err := unix.Fchmodat(parent, base, uint32(h.Mode)&0o7777, 0); err != nil {
			return fmt.Errorf("set mode %o: %w", h.Mode, err)
		}
	}
	if err := setXattrs(parent, base, h); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir {
		u.dirs[name] = entryTimes(h)
		return nil
	}
	if err := setTimes(parent, base, entryTimes(h)); err != nil {
		return fmt.Errorf("set times: %w", err)
	}
	return nil
}

func setXattrs(parent int, base string, h *tar.Header) error {
	var keys []string
	for record := range h.PAXRecords {
		if key, ok := strings.CutPrefix(record, paxXattr); ok && !ours(key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys) // the same error every time
	for _, key := range keys {
		err := unix.Lsetxattr(procPath(parent, base), key, []byte(h.PAXRecords[paxXattr+key]), 0)
		if err != nil && !ignorable(key, err) {
			return fmt.Errorf("set attribute %s: %w", key, err)
		}
	}
	return nil
}

// ours tells the attributes by which overlayfs steers itself (opaque,
// redirect, metacopy): a layer must not get to say where lower content is.
func ours(key string) bool {
	return strings.HasPrefix(key, "trusted.overlay.") || strings.HasPrefix(key, "user.overlay.")
}

// ignorable tells when an attribute cannot be kept here and the file is still
// right without it: the file system has no such attributes (tmpfs and user.*,
// no SELinux), or user.* sits on something that is neither file nor directory.
func ignorable(key string, err error) bool {
	return errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) && strings.HasPrefix(key, "user.")
}
