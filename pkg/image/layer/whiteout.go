package layer

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// How an archive says that something of a lower layer is gone (image
// specification, layer.md), and how overlayfs says it (overlayfs.rst).
const (
	whiteoutPrefix = ".wh."
	opaqueMark     = ".wh..wh..opq"
	aufsPrefix     = ".wh..wh." // bookkeeping of a driver long gone

	overlayOpaque = "trusted.overlay.opaque"
)

// whiteout handles the entry if its name is a mark, and tells whether it was.
func (u *unpacker) whiteout(dir, base string) (bool, error) {
	hidden, ok := strings.CutPrefix(base, whiteoutPrefix)
	if !ok {
		return false, nil
	}
	if base != opaqueMark && strings.HasPrefix(base, aufsPrefix) {
		return true, nil
	}
	parent, err := u.root.makeDir(dir)
	if err != nil {
		return true, err
	}
	if base == opaqueMark {
		return true, setOpaque(parent, ".")
	}
	// These would name the directory itself or the one above it.
	if hidden == "" || hidden == "." || hidden == ".." {
		return true, fmt.Errorf("whiteout of %q: %w", hidden, ErrEscape)
	}
	return true, u.hide(parent, hidden)
}

// hide writes overlayfs's own mark. A mark deletes from the layers below and
// never from its own: where this layer also has the entry, a file covers the
// lower one anyway and a directory must be made opaque.
func (u *unpacker) hide(parent int, base string) error {
	err := unix.Mknodat(parent, base, unix.S_IFCHR, 0) // device number 0/0
	if err != unix.EEXIST {
		return err
	}
	st, err := lstatAt(parent, base)
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		err = setOpaque(parent, base)
	}
	return err
}

func isWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}

func setOpaque(parent int, base string) error {
	if err := unix.Lsetxattr(procPath(parent, base), overlayOpaque, []byte("y"), 0); err != nil {
		return fmt.Errorf("set %s (needs root and a file system with trusted attributes): %w", overlayOpaque, err)
	}
	return nil
}
