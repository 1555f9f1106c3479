package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/image/ocispec"
)

// Annotations of the descriptors in index.json. The first is the layout
// specification's, the second containerd's and docker's. Some tools put only a
// tag into the first; we put the full name into both, so that
// `skopeo copy oci:images:docker.io/library/alpine:latest …` is unambiguous.
const (
	annotationRef         = ocispec.AnnotationRefName
	annotationName        = "io.containerd.image.name"
	annotationRepoDigests = "minictr.repo-digests" // separated by spaces
)

// entry is one image in the index. On disk it is one descriptor for each name,
// all with the manifest's digest, or one without a name.
type entry struct {
	desc        ocispec.Descriptor // of the manifest, without our annotations
	names       []Name
	repoDigests []string
}

// answersTo tells whether the entry is what name asks for. A digest may be the
// manifest's own, or the one a registry knows the image by.
func (e entry) answersTo(name Name) bool {
	if name.Digest == "" {
		return slices.Contains(e.names, name)
	}
	if slices.Contains(e.repoDigests, name.Repository()+"@"+name.Digest.String()) {
		return true
	}
	return e.desc.Digest == name.Digest && slices.ContainsFunc(e.names, func(n Name) bool {
		return n.Repository() == name.Repository()
	})
}

// readIndex needs no lock: index.json is replaced as a whole.
func (s *Store) readIndex() ([]entry, error) {
	raw, err := os.ReadFile(filepath.Join(s.images, ocispec.ImageIndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read image index: %w", err)
	}
	entries, err := decodeIndex(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(s.images, ocispec.ImageIndexFile), err)
	}
	return entries, nil
}

// decodeIndex gathers the descriptors of one manifest into one entry, in the
// order of their first mention. Descriptors without a readable full name, as
// other tools may write, become names if their tag is one.
func decodeIndex(raw []byte) ([]entry, error) {
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, err
	}
	var entries []entry
	at := map[string]int{}
	for _, d := range index.Manifests {
		i, seen := at[d.Digest.String()]
		if !seen {
			i = len(entries)
			at[d.Digest.String()] = i
			plain := d
			plain.Annotations = maps.Clone(d.Annotations)
			for _, ours := range []string{annotationRef, annotationName, annotationRepoDigests} {
				delete(plain.Annotations, ours)
			}
			entries = append(entries, entry{desc: plain})
		}
		e := &entries[i]
		if name, ok := nameOf(d); ok && !slices.Contains(e.names, name) {
			e.names = append(e.names, name)
		}
		for r := range strings.FieldsSeq(d.Annotations[annotationRepoDigests]) {
			e.addRepoDigest(r)
		}
	}
	return entries, nil
}

// nameOf reads the name a descriptor carries. A bare tag, which the layout
// specification allows, does not say of what.
func nameOf(d ocispec.Descriptor) (Name, bool) {
	full := d.Annotations[annotationName]
	if tag := d.Annotations[annotationRef]; full == "" && strings.ContainsAny(tag, "/:") {
		full = tag
	}
	name, err := ParseName(full)
	return name, err == nil && name.Digest == ""
}

func (e *entry) addRepoDigest(r string) {
	if !slices.Contains(e.repoDigests, r) {
		e.repoDigests = append(e.repoDigests, r)
	}
}

func encodeIndex(entries []entry) ([]byte, error) {
	index := ocispec.Index{
		Versioned: ocispec.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: []ocispec.Descriptor{},
	}
	for _, e := range entries {
		names := e.names
		if len(names) == 0 {
			names = []Name{{}}
		}
		for i, name := range names {
			d := e.desc
			d.Annotations = map[string]string{}
			maps.Copy(d.Annotations, e.desc.Annotations)
			if !name.IsZero() {
				d.Annotations[annotationRef] = name.String()
				d.Annotations[annotationName] = name.String()
			}
			if i == 0 && len(e.repoDigests) > 0 {
				d.Annotations[annotationRepoDigests] = strings.Join(e.repoDigests, " ")
			}
			index.Manifests = append(index.Manifests, d)
		}
	}
	return json.MarshalIndent(index, "", "  ")
}

// update changes the index under the exclusive lock. The change is on disk
// when update returns.
func (s *Store) update(change func([]entry) ([]entry, error)) error {
	if err := s.makeDirs(); err != nil {
		return err
	}
	lock, err := s.lockIndex(unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	entries, err := s.readIndex()
	if err != nil {
		return err
	}
	if entries, err = change(entries); err != nil {
		return err
	}
	return s.writeIndex(entries)
}

func (s *Store) writeIndex(entries []entry) error {
	for i := range entries {
		slices.SortFunc(entries[i].names, func(a, b Name) int { return strings.Compare(a.String(), b.String()) })
	}
	raw, err := encodeIndex(entries)
	if err == nil {
		err = writeFile(filepath.Join(s.images, ocispec.ImageIndexFile), raw)
	}
	if err != nil {
		return fmt.Errorf("write image index: %w", err)
	}
	return nil
}

// put adds an entry, merging it with one for the same manifest, and takes its
// names away from the images that had them; those stay, nameless.
func put(entries []entry, e entry) []entry {
	found := -1
	for i := range entries {
		if entries[i].desc.Digest == e.desc.Digest {
			found = i
			continue
		}
		entries[i].names = slices.DeleteFunc(entries[i].names, func(n Name) bool { return slices.Contains(e.names, n) })
	}
	if found < 0 {
		return append(entries, e)
	}
	old := &entries[found]
	for _, n := range e.names {
		if !slices.Contains(old.names, n) {
			old.names = append(old.names, n)
		}
	}
	for _, r := range e.repoDigests {
		old.addRepoDigest(r)
	}
	return entries
}

// writeFile replaces path as a whole and durably. Callers hold the index lock,
// so the temporary name needs no variety, and a crash's leftover is overwritten
// by the next writer.
func writeFile(path string, content []byte) error {
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes renames in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
