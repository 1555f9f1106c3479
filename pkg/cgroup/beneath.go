package cgroup

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Beneath is the group for a process that is to be in cgroups which the
// container has made below its own: by controller, or for "" in all hierarchies.
// Only [Open] and [Enter] know of it.
func (g Group) Beneath(paths map[string]string) (Group, error) {
	if len(paths) == 0 {
		return g, nil
	}
	g.below = make(map[string]string, len(paths))
	for c, p := range paths {
		if c != "" && !slices.Contains(g.joined, c) && !g.Hierarchy.Unifies(c) {
			return g, fmt.Errorf("unknown controller %q: the container is not under one of that name", c)
		}
		if clean := path.Clean(p); clean == ".." || strings.HasPrefix(clean, "../") {
			return g, fmt.Errorf("bad sub cgroup path %q: it leads out of the container's cgroup", p)
		}
		if g.Hierarchy.Unifies(c) {
			c = "" // cgroup2 has one directory for all of its controllers
		}
		g.below[c] = p
	}
	return g, nil
}

// enteredDirs are joinedDirs, or what Beneath says in their place.
func (g Group) enteredDirs() []string {
	var dirs []string
	for _, c := range g.joined {
		p, ok := g.below[c]
		if !ok {
			p = g.below[""]
		}
		if dir := path.Join(g.Hierarchy.V1[c], g.Path, p); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
