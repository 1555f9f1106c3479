package rootfs

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// Within is the mount with its paths on the host turned into paths of the
// container, where they lie below the container's root directory. As a
// destination such a path is an old habit of some tools. As the source of a
// bind mount it means what the container has there at that moment, with all
// mounts of the configuration that come before: the source is opened where it
// is attached, after the pivot, and no link in the image leads out of the root.
func (m Mount) Within(root string) Mount {
	if inner, ok := below(root, m.Destination); ok && inner != "/" {
		m.Destination = inner
	}
	if inner, ok := below(root, path.Clean(m.Source)); ok && m.bind && m.link == "" {
		m.inner = inner
	}
	return m
}

// below is where the file p of the host is for who has root as its "/".
func below(root, p string) (string, bool) {
	root = path.Clean(root)
	if root == "/" || p != root && !strings.HasPrefix(p, root+"/") {
		return "", false
	}
	return path.Clean("/" + strings.TrimPrefix(p, root)), true
}

// openInner takes the source that Within has found.
func (m Mount) openInner() []kernel.Call {
	if m.inner == "" {
		return nil
	}
	const source kernel.Slot = "inner"
	calls := []kernel.Call{
		kernel.OpenInRoot(m.inner, 0, 0).Into(source),
		kernel.OpenTree(kernel.FD(source), "", m.treeFlags()|unix.AT_EMPTY_PATH).Into(m.slot),
		kernel.Close(kernel.FD(source)),
	}
	return append(calls, m.mapOwners()...)
}
