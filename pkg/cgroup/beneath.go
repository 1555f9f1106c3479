package cgroup

import (
	"fmt"
	"os"
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
		if slices.Contains(strings.Split(p, "/"), "..") {
			return g, fmt.Errorf("bad sub cgroup path %q: it leads out of the container's cgroup (`..` components are not allowed)", p)
		}
		if g.Hierarchy.Unifies(c) {
			c = "" // cgroup2 has one directory for all of its controllers
		}
		g.below[c] = p
	}
	if p, ok := paths[""]; ok {
		g.keepAbove(p)
	}
	return g, nil
}

// keepAbove: a container may have made the cgroup in some of its hierarchies.
// In the others the process stays in the container's own; if there is none at
// all, that is found out where the process is to go in.
func (g Group) keepAbove(p string) {
	dirs := map[string]string{}
	if g.Hierarchy.Unified != "" {
		dirs[""] = path.Join(g.Unified(), p)
	}
	for _, c := range g.joined {
		if _, ok := g.below[c]; !ok {
			dirs[c] = path.Join(g.Hierarchy.V1[c], g.Path, p)
		}
	}
	missing := []string{}
	for c, dir := range dirs {
		if _, err := os.Stat(dir); err != nil {
			missing = append(missing, c)
		}
	}
	if len(missing) == len(dirs) {
		return
	}
	for _, c := range g.joined {
		if _, ok := g.below[c]; !ok {
			g.below[c] = p // below[""] may change for cgroup2
		}
	}
	for _, c := range missing {
		g.below[c] = ""
	}
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
