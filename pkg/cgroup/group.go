package cgroup

import (
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"minictr/pkg/kernel"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Group is one container's cgroup: the same path in each hierarchy it is in.
// It is a value; nothing needs to exist yet.
type Group struct {
	Hierarchy Hierarchy
	Path      string // from the hierarchies' roots, "/minictr-4f1c…"

	// Owner tells two containers apart whose configurations name the same path.
	// Without one the path itself must be the container's alone.
	Owner string
	Found bool // the cgroup was there before, see Vacant

	settings []setting
	joined   []string // v1 controllers the container is put under, sorted
	cpuset   cpuset   // v1 only: what the cgroups on the way get

	below map[string]string // where a process goes instead, see Beneath
}

// always are the controllers that every container is put under where they
// exist, limit or not: `stats` wants their numbers.
var (
	alwaysV1 = []string{"memory", "cpu", "cpuacct", "pids", "blkio"}
	alwaysV2 = []string{"cpu", "memory", "pids", "io"}
)

// Slot is where [Create] and [Open] leave the descriptor of the cgroup's
// cgroup2 directory.
const Slot kernel.Slot = "cgroup"

// Group decides where a container with these resources belongs. A limit that
// no controller here can hold is an [ErrNoController] or [ErrNoSetting] (see
// [Hierarchy.Fit] for dropping those instead, as docker does).
//
// The path is specs.Linux.CgroupsPath: from the root of the hierarchies as we
// see them, which in a cgroup namespace is our own cgroup.
func (h Hierarchy) Group(cgroupsPath string, r *specs.LinuxResources) (Group, error) {
	if h.Mode() == NoMount {
		return Group{}, ErrNoController{Name: anything}
	}
	clean, err := cleanPath(cgroupsPath)
	if err != nil {
		return Group{}, err
	}
	g := Group{Hierarchy: h, Path: clean}
	if cpusetV1 := h.V1["cpuset"]; cpusetV1 != "" && wantsCpuset(r) {
		if g.cpuset, err = inherited(cpusetV1, clean); err != nil {
			return Group{}, err
		}
	}
	if g.settings, err = h.settings(r, g.cpuset); err != nil {
		return Group{}, err
	}
	want := slices.Clone(alwaysV1)
	if h.Unified == "" {
		want = append(want, "freezer") // cgroup2 needs no controller for its work
	}
	if r != nil && len(r.Devices) > 0 {
		want = append(want, "devices") // where v1 has it, its list is what other tools look at
	}
	for _, s := range g.settings {
		want = append(want, s.controller)
	}
	for _, c := range want {
		if h.V1[c] != "" && !slices.Contains(g.joined, c) {
			g.joined = append(g.joined, c)
		}
	}
	if h.Unified == "" && len(g.joined) == 0 {
		return Group{}, ErrNoController{Name: anything}
	}
	slices.Sort(g.joined)
	return g, nil
}

// cleanPath refuses paths that are not a cgroup of the container's own.
func cleanPath(p string) (string, error) {
	if strings.Contains(p, "\x00") || slices.Contains(strings.Split(p, "/"), "..") {
		return "", fmt.Errorf("cgroup path %q: it must not hold %q", p, "..")
	}
	clean := path.Clean("/" + p)
	if clean == "/" {
		return "", errors.New("cgroup path: it names the root, a container needs a cgroup of its own")
	}
	return clean, nil
}

// Settings are the group's files and the values for them.
func (g Group) Settings() iter.Seq2[string, string] {
	return func(yield func(file, value string) bool) {
		for _, s := range g.settings {
			if !yield(s.file, s.value) {
				return
			}
		}
	}
}

// Dir is the directory in which controller c's files of this group are, "" if
// the container is not under that controller.
func (g Group) Dir(c string) string {
	if g.Hierarchy.Unifies(c) || c == core {
		return g.Unified()
	}
	if slices.Contains(g.joined, c) {
		return g.Hierarchy.V1[c] + g.Path
	}
	return ""
}

// Unified is the cgroup2 directory, "" where cgroup2 is not mounted.
func (g Group) Unified() string {
	if g.Hierarchy.Unified == "" {
		return ""
	}
	return g.Hierarchy.Unified + g.Path
}

// CloneSlot is what clone3's CloneArgs.Cgroup gets: [Slot], or nothing where
// there is no cgroup2 to be born into.
func (g Group) CloneSlot() kernel.Slot {
	if g.Hierarchy.Unified == "" {
		return ""
	}
	return Slot
}

// anchor is the directory that counts for who is a member: all members are in
// it, and killing and freezing happens there.
func (g Group) anchor() string {
	switch {
	case g.Hierarchy.Unified != "":
		return g.Unified()
	case g.Hierarchy.V1["freezer"] != "":
		return g.Hierarchy.V1["freezer"] + g.Path
	}
	return g.joinedDirs()[0]
}

// joinedDirs are the group's directories in v1 hierarchies, each once however
// many controllers are mounted together there.
func (g Group) joinedDirs() []string {
	var dirs []string
	for _, c := range g.joined {
		if dir := g.Hierarchy.V1[c] + g.Path; !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// everywhere are all directories the group can have, the anchor first: an
// update may have put the container under more controllers than its spec says.
func (g Group) everywhere() []string {
	dirs := []string{g.anchor()}
	var points []string
	for c, point := range g.Hierarchy.V1 {
		if !strings.HasPrefix(c, "name=") {
			points = append(points, point)
		}
	}
	slices.Sort(points)
	for _, point := range slices.Compact(points) {
		if dir := point + g.Path; dir != dirs[0] {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
