package image

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/ocispec"
)

const removedSuffix = ".removed"

// collect removes blobs and layers that no image in the index needs and that
// nobody leases. It needs the exclusive lock only to decide: layers are renamed
// away under it and deleted afterwards.
func (s *Store) collect() error {
	lock, err := s.lockIndex(unix.LOCK_EX)
	if err != nil {
		return err
	}
	entries, err := s.readIndex()
	if err == nil {
		err = s.retire(entries)
	}
	err = errors.Join(err, lock.Close())
	if err == nil {
		err = s.sweep()
	}
	if err != nil {
		return fmt.Errorf("collect unused layers and blobs: %w", err)
	}
	return nil
}

// needed is what the index reaches: file names in blobs, and in layers.
type needed struct{ blobs, layers map[string]bool }

// retire takes away what entries do not need. The index lock is held.
func (s *Store) retire(entries []entry) error {
	keep, err := s.needs(entries)
	if err != nil {
		return err
	}
	err = each(s.blobs, func(name string) error {
		if keep.blobs[name] {
			return nil
		}
		path := filepath.Join(s.blobs, name)
		return unlessLeased(path, func() error { return os.Remove(path) })
	})
	return errors.Join(err, each(s.layers, func(name string) error {
		if keep.layers[name] || !isHex(name) {
			return nil
		}
		path := filepath.Join(s.layers, name)
		return unlessLeased(filepath.Join(path, recordFile), func() error { return away(path) })
	}))
}

// away takes a layer out of use at once; sweep deletes it.
func away(path string) error {
	return os.Rename(path, path+"."+strings.ToLower(rand.Text())+removedSuffix)
}

// whole tells whether an unpacked layer has its two parts.
func (s *Store) whole(diffID digest.Digest) bool {
	var st unix.Stat_t
	dir := s.layerPath(diffID)
	return unix.Stat(filepath.Join(dir, recordFile), &st) == nil && unix.Stat(filepath.Join(dir, layerDir), &st) == nil
}

// retireBroken makes room where somebody removed a part of a layer. The lock
// makes the look and the rename one: layers go only under it, and one that is
// there, even broken, is not replaced.
func (s *Store) retireBroken(diffID digest.Digest) error {
	lock, err := s.lockIndex(unix.LOCK_EX)
	if err != nil {
		return err
	}
	if !s.whole(diffID) {
		if err = away(s.layerPath(diffID)); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	return errors.Join(err, lock.Close())
}

// needs follows every entry. An entry whose documents are gone needs nothing,
// one whose documents cannot be read stops the collection: better garbage than
// a hole.
func (s *Store) needs(entries []entry) (needed, error) {
	keep := needed{blobs: map[string]bool{}, layers: map[string]bool{}}
	for _, e := range entries {
		keep.blobs[e.desc.Digest.Encoded()] = true
		m, err := s.manifest(e.desc)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return keep, err
		}
		keep.blobs[m.Config.Digest.Encoded()] = true
		for _, l := range m.Layers {
			keep.blobs[l.Digest.Encoded()] = true
		}
		raw, err := s.readBlob("config", m.Config.Digest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var config struct{ RootFS ocispec.RootFS }
		if err == nil {
			err = json.Unmarshal(raw, &config)
		}
		if err != nil {
			return keep, err
		}
		for _, d := range config.RootFS.DiffIDs {
			keep.layers[digest.Digest(d).Encoded()] = true
		}
	}
	return keep, nil
}

// unlessLeased runs remove while nobody can lease path.
func unlessLeased(path string, remove func() error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) { // a layer without its record is nobody's
		return remove()
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	ok, err := tryLock(f)
	if !ok || err != nil {
		return err
	}
	return remove()
}

// sweep deletes layers that were retired, and workspaces whose owner is dead.
func (s *Store) sweep() error {
	return each(s.layers, func(name string) error {
		path := filepath.Join(s.layers, name)
		switch {
		case strings.HasSuffix(name, removedSuffix):
			return os.RemoveAll(path)
		case strings.HasSuffix(name, partialSuffix):
			return sweepWorkspace(path)
		}
		return nil
	})
}

func sweepWorkspace(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ok, err := tryLock(f)
	if ok && stillAt(f, path) {
		err = os.RemoveAll(path)
	}
	return errors.Join(err, f.Close())
}

// each calls do with the name of everything in dir, which may be missing.
func each(dir string, do func(name string) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if err := do(e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
