package explain

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Cgroup is a process's place in one cgroup hierarchy.
type Cgroup struct {
	Controllers string `json:"controllers"` // of a v1 hierarchy; "unified" for v2
	Path        string `json:"path"`
	Dir         string `json:"dir,omitempty"`    // where the hierarchy shows it to us
	Values      []Fact `json:"values,omitempty"` // interface files that hold limits
}

// The interface files that say what a cgroup allows, v2's first. Counters that
// change by themselves are left out: every diff would list them.
var cgroupFiles = []string{
	"cgroup.type", "cgroup.controllers", "cgroup.subtree_control", "cgroup.freeze",
	"memory.max", "memory.high", "memory.low", "memory.swap.max", "memory.oom.group",
	"cpu.max", "cpu.weight", "cpuset.cpus", "cpuset.mems", "io.weight", "io.max", "pids.max", "pids.current",
	"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes",
	"cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares", "blkio.weight", "devices.list", "freezer.state",
}

// cgroups finds the directories of the groups that /proc/<pid>/cgroup names.
func cgroups(proc string) []Cgroup {
	b, err := os.ReadFile(filepath.Join(proc, "cgroup"))
	if err != nil {
		return []Cgroup{{Controllers: "?", Path: err.Error()}}
	}
	ours, _ := mounts("/proc/self")
	all := parseCgroups(string(b))
	for i := range all {
		all[i].locate(ours)
	}
	return all
}

// parseCgroups reads "hierarchy-ID:controllers:path" lines (cgroups(7)).
func parseCgroups(text string) []Cgroup {
	var all []Cgroup
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		c := Cgroup{Controllers: strings.TrimPrefix(parts[1], "name="), Path: parts[2]}
		if parts[0] == "0" && parts[1] == "" {
			c.Controllers = "unified"
		}
		all = append(all, c)
	}
	return all
}

// locate looks for a mount of the hierarchy that shows c. The root group has no
// limits to show.
func (c *Cgroup) locate(ours []Mount) {
	for _, m := range ours {
		rel, ok := strings.CutPrefix(c.Path, strings.TrimSuffix(m.Root, "/"))
		if !ok || !c.in(m) {
			continue
		}
		c.Dir = filepath.Join(m.Point, rel)
		if c.Path != "/" {
			c.Values = readFacts(c.Dir, cgroupFiles)
		}
		return
	}
}

func (c *Cgroup) in(m Mount) bool {
	if m.Type == "cgroup2" {
		return c.Controllers == "unified"
	}
	first, _, _ := strings.Cut(c.Controllers, ",")
	options := strings.Split(m.Super, ",")
	return m.Type == "cgroup" && (slices.Contains(options, first) || slices.Contains(options, "name="+first))
}

func readFacts(dir string, names []string) []Fact {
	var all []Fact
	for _, name := range names {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			all = append(all, Fact{name, oneLine(string(b))})
		}
	}
	return all
}
