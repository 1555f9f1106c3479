package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"minictr/pkg/image"
)

// Size is how much a container has written, and how much its root holds with
// the image's layers, in bytes.
func (e *Engine) Size(c *Container) (written, root int64, err error) {
	if written, err = treeSize(filepath.Join(e.Dirs.Container(c.ID), upperDir)); err != nil {
		return 0, 0, err
	}
	root = written
	for _, dir := range c.Layers {
		r, err := image.Layer{Dir: dir}.Record()
		if errors.Is(err, fs.ErrNotExist) {
			continue // the empty layer of an image without any
		}
		if err != nil {
			return 0, 0, err
		}
		root += r.Bytes
	}
	return written, root, nil
}

// treeSize is the sum of the sizes of the regular files below a directory, each
// counted once however many names it has. Files that go meanwhile, as in a
// running container, are none.
func treeSize(dir string) (int64, error) {
	type inode struct{ dev, ino uint64 }
	seen := make(map[inode]bool)
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				st := info.Sys().(*syscall.Stat_t)
				if id := (inode{uint64(st.Dev), st.Ino}); st.Nlink == 1 || !seen[id] {
					seen[id] = true
					sum += info.Size()
				}
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return sum, err
}
