package image

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"minictr/pkg/image/digest"
)

// Removal is one line of what `rmi` did: exactly one field is set.
type Removal struct {
	Untagged string        // a name or repository@digest that is gone
	Deleted  digest.Digest // an image's ID
}

// Tag gives the image src the name dst, taking it from whatever had it.
func (s *Store) Tag(src, dst string) error {
	name, err := ParseName(dst)
	if err == nil {
		err = name.free()
	}
	if err != nil {
		return fmt.Errorf("tag image: %w", err)
	}
	err = s.update(func(entries []entry) ([]entry, error) {
		e, err := s.find(entries, src)
		if err != nil {
			return nil, err
		}
		return put(entries, entry{desc: e.desc, names: []Name{name}}), nil
	})
	if err != nil {
		return fmt.Errorf("tag image: %w", err)
	}
	return nil
}

// Remove does what docker's rmi does. A name is taken away; with its last name
// the image goes too, and with the image whatever no other image needs. An ID
// removes the image if it has at most one name, or by force.
//
// inUse (which may be nil) says which containers need the image with this ID.
// Such an image is not removed; with force it loses its names and stays until
// it is removed again by ID. inUse runs under the store's lock, which is what
// keeps it true until Remove is done (see Hold): it must not use the store.
func (s *Store) Remove(ref string, force bool, inUse func(id string) []string) ([]Removal, error) {
	var done []Removal
	err := s.update(func(entries []entry) ([]entry, error) {
		e, err := s.find(entries, ref)
		if err != nil {
			return nil, err
		}
		r := removal{s: s, ref: ref, force: force, inUse: inUse}
		if err := r.gather(entries, e); err != nil {
			return nil, err
		}
		if err := r.decide(); err != nil {
			return nil, err
		}
		done = r.done
		return slices.DeleteFunc(r.entries, func(e entry) bool { return r.drop && r.same[e.desc.Digest] }), nil
	})
	if err == nil {
		err = s.collect()
	}
	if err != nil {
		return nil, fmt.Errorf("remove image %s: %w", ref, err)
	}
	return done, nil
}

// removal is one Remove under way.
type removal struct {
	s     *Store
	ref   string
	force bool
	inUse func(id string) []string

	entries []entry
	same    map[digest.Digest]bool // manifests of this image: one config, if not one compression
	id      digest.Digest

	drop bool
	done []Removal
}

func (r *removal) gather(entries []entry, target entry) error {
	r.entries = entries
	r.same = map[digest.Digest]bool{target.desc.Digest: true}
	m, err := r.s.manifest(target.desc)
	if errors.Is(err, fs.ErrNotExist) { // a broken image can be removed too
		r.id = target.desc.Digest
		return nil
	}
	if err != nil {
		return err
	}
	r.id = m.Config.Digest
	for _, e := range entries {
		other, err := r.s.manifest(e.desc)
		if err == nil && other.Config.Digest == r.id {
			r.same[e.desc.Digest] = true
		}
	}
	return nil
}

// decide takes the names away and sets drop if the image is to go.
func (r *removal) decide() error {
	name, err := ParseName(r.ref)
	named := func(ref string) bool { return err == nil && ref == name.reference() }
	byName := len(r.refs(named)) > 0
	all := r.refs(func(string) bool { return true })
	tags := r.refs(isTag)
	if !byName && len(tags) > 1 && !r.force {
		return fmt.Errorf("%w: it has several names (%s): remove those, or force", ErrInUse, strings.Join(tags, ", "))
	}
	lost := all
	if byName {
		lost = r.refs(named)
		if name.Digest == "" && len(r.refs(func(ref string) bool { return isTag(ref) && inRepo(ref, name) })) == 1 {
			// The repository's last tag takes its digests along.
			lost = r.refs(func(ref string) bool { return inRepo(ref, name) })
		}
	}
	if len(lost) == len(all) {
		if err := r.last(); err != nil {
			return err
		}
	}
	r.untag(lost)
	if r.drop {
		r.done = append(r.done, Removal{Deleted: r.id})
	}
	return nil
}

// last decides about an image that is about to lose its last reference.
func (r *removal) last() error {
	var users []string
	if r.inUse != nil {
		users = r.inUse(r.id.String())
	}
	if len(users) > 0 && !r.force {
		return fmt.Errorf("%w: by container %s", ErrInUse, strings.Join(users, ", "))
	}
	r.drop = len(users) == 0
	return nil
}

// References are handled as strings here: repository:tag or repository@digest.

func isTag(ref string) bool             { return !strings.Contains(ref, "@") }
func inRepo(ref string, name Name) bool { return repoOf(ref) == name.Repository() }

// reference is the one thing a name refers by: its digest, if it has one.
func (n Name) reference() string {
	if n.Digest != "" {
		n.Tag = ""
	}
	return n.String()
}

func repoOf(ref string) string {
	repo, _, pinned := strings.Cut(ref, "@")
	if !pinned {
		repo = ref[:strings.LastIndexByte(ref, ':')]
	}
	return repo
}

// refs lists the image's references that satisfy want.
func (r *removal) refs(want func(string) bool) []string {
	var refs []string
	for _, e := range r.entries {
		if !r.same[e.desc.Digest] {
			continue
		}
		for _, n := range e.names {
			if want(n.String()) {
				refs = append(refs, n.String())
			}
		}
		for _, d := range e.repoDigests {
			if want(d) {
				refs = append(refs, d)
			}
		}
	}
	return refs
}

func (r *removal) untag(lost []string) {
	for i := range r.entries {
		e := &r.entries[i]
		if !r.same[e.desc.Digest] {
			continue
		}
		e.names = slices.DeleteFunc(e.names, func(n Name) bool { return slices.Contains(lost, n.String()) })
		e.repoDigests = slices.DeleteFunc(e.repoDigests, func(d string) bool { return slices.Contains(lost, d) })
	}
	for _, ref := range lost {
		if n, err := ParseName(ref); err == nil {
			ref = n.Familiar()
		}
		r.done = append(r.done, Removal{Untagged: ref})
	}
}
