package merged

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"minictr/pkg/engine/archive"
)

// Export writes the whole tree to an archive.
func (v *View) Export(w *archive.Writer) error {
	root, err := v.root()
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return v.export(w, root)
}

func (v *View) export(w *archive.Writer, dir place) error {
	names, err := v.names(dir)
	if err != nil {
		return fmt.Errorf("export %s: %w", dir.path, err)
	}
	for _, name := range names {
		p, err := v.child(dir, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a whiteout
		}
		if err == nil {
			err = v.add(w, p, p.path)
		}
		if err != nil {
			return fmt.Errorf("export %s: %w", path.Join(dir.path, name), err)
		}
		if p.isDir() {
			if err := v.export(w, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds one file. In a running container it may have gone meanwhile.
func (v *View) add(w *archive.Writer, p place, name string) error {
	fd, err := v.open(p.layers[0], p.path, unix.O_PATH)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	_, err = w.Add(fd, name)
	return err
}

// ExportChanges writes changes as a layer of an image (image specification,
// layer.md): what is new or changed, and a mark for what is gone.
func (v *View) ExportChanges(w *archive.Writer, changes []Change) error {
	for _, c := range changes {
		dir, base := path.Split(c.Path[1:])
		if c.Kind == Deleted {
			if err := w.Mark(dir + ".wh." + base); err != nil {
				return err
			}
			continue
		}
		p := place{path: c.Path[1:], layers: []int{0}}
		if err := v.add(w, p, p.path); err != nil {
			return fmt.Errorf("read %s: %w", c.Path, err)
		}
	}
	return nil
}
