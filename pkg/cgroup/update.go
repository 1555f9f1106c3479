package cgroup

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"minictr/pkg/kernel"
	"minictr/pkg/step"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Update changes the limits of a container that runs. What r does not mention
// stays; devices are not changed.
//
// A controller that the container was not under so far is added: in cgroup2 by
// passing it on from above, in v1 by moving all members. What is returned is the
// group with the new settings, and no others.
func (g Group) Update(r *specs.LinuxResources) (Group, error) {
	next, err := g.Hierarchy.Group(g.Path, g.withLimit(r))
	if err != nil {
		return next, err
	}
	if err := next.checkUsage(r); err != nil {
		return next, err
	}
	if err := next.exists(); err != nil {
		return next, err
	}
	do := step.Direct()
	added, err := next.addControllers(do)
	if err == nil {
		err = next.writeAll(next.inOrder(), do)
	}
	for _, dir := range added {
		if err == nil {
			err = next.moveAll(dir, do)
		}
	}
	if ended := next.exists(); ended != nil {
		// Who removes a cgroup begins with its anchor: what has been added since it
		// may have passed by.
		for _, dir := range added {
			ended = errors.Join(ended, removeTree(dir, do))
		}
		return next, ended
	}
	return next, err
}

// exists fails with [fs.ErrNotExist] if the cgroup has been removed.
func (g Group) exists() error {
	if _, err := os.Stat(g.anchor()); err != nil {
		return fmt.Errorf("find the cgroup: %w", err)
	}
	return nil
}

// checkUsage refuses a memory limit below the usage if the specification asks
// for that; else the kernel reclaims, and kills if that is not enough.
func (g Group) checkUsage(r *specs.LinuxResources) error {
	if r == nil || r.Memory == nil || !isTrue(r.Memory.CheckBeforeUpdate) || value(r.Memory.Limit) <= 0 {
		return nil
	}
	stats, err := g.Stats()
	if err != nil {
		return err
	}
	if limit := uint64(*r.Memory.Limit); stats.Memory.Usage > limit {
		return fmt.Errorf("memory.limit: the container uses %d bytes already, the limit is to be %d", stats.Memory.Usage, limit)
	}
	return nil
}

// addControllers makes the files of all settings exist. It returns the v1
// directories that it made, which have no members yet, also when it fails.
func (g Group) addControllers(do step.Do) ([]string, error) {
	if g.Hierarchy.Unified != "" {
		at := g.Hierarchy.Unified
		for _, name := range g.names() {
			if err := doAll(g.passOn(at), do); err != nil {
				return nil, fmt.Errorf("pass controllers on to the container: %w", err)
			}
			at += "/" + name
		}
	}
	var added []string
	for _, dir := range g.joinedDirs() {
		if _, err := os.Stat(dir); err == nil {
			continue
		}
		err := doAll(g.makeV1(dir), do)
		if !errors.Is(err, unix.EEXIST) { // else it is another one's, of the container's next run
			added = append(added, dir)
		}
		if err != nil {
			return added, err
		}
	}
	return added, nil
}

// doAll makes calls in their order until one fails. What that one wanted to use
// is still closed: the next close is of the file that it could not write to,
// unless it was the open itself that failed.
func doAll(calls []kernel.Call, do step.Do) error {
	for i, c := range calls {
		err := do(c)
		if err == nil {
			continue
		}
		next := slices.IndexFunc(calls[i:], func(c kernel.Call) bool { return c.Name == "close" })
		if c.Name == "write" && next > 0 {
			_ = do(calls[i+next])
		}
		return err
	}
	return nil
}

// withLimit adds the memory limit that there is to a new limit on memory and
// swap together, which means nothing without one.
func (g Group) withLimit(r *specs.LinuxResources) *specs.LinuxResources {
	if r == nil || r.Memory == nil || value(r.Memory.Limit) != 0 || value(r.Memory.Swap) <= 0 {
		return r
	}
	file := "memory.limit_in_bytes"
	if g.Hierarchy.Unifies("memory") {
		file = "memory.max"
	}
	limit := number((&reader{}).text(g.Dir("memory"), file))
	if limit <= 0 {
		return r
	}
	with, memory := *r, *r.Memory
	memory.Limit, with.Memory = &limit, &memory
	return &with
}

// quotas are the files of v1 that make a share of time, by the file of the
// period that they are for.
var quotas = map[string]string{"cpu.cfs_period_us": "cpu.cfs_quota_us", "cpu.rt_period_us": "cpu.rt_runtime_us"}

// writeAll writes settings in their order. v1 has a share of processor time in
// two files, and refuses a value by which it would be too large for a moment:
// for the parent's share, or for the period. What is refused is written once
// more when its other half is there.
func (g Group) writeAll(list []setting, do step.Do) error {
	for i, s := range list {
		err := s.write(g.Dir(s.controller), do)
		if errors.Is(err, unix.EINVAL) && i+1 < len(list) && quotas[s.file] == list[i+1].file {
			if err = list[i+1].write(g.Dir(s.controller), do); err == nil {
				err = s.write(g.Dir(s.controller), do)
			}
		}
		if err != nil {
			return fmt.Errorf("set %s to %s: %w", s.file, s.value, err)
		}
	}
	return nil
}

func (s setting) write(dir string, do step.Do) error { return doAll(s.calls(dir), do) }

// inOrder puts v1's limit on memory and swap together before the one on memory
// if the new memory limit is more than the old sum: at no moment may the sum
// be less than its part.
func (g Group) inOrder() []setting {
	list := slices.Clone(g.settings)
	memory := slices.IndexFunc(list, func(s setting) bool { return s.file == "memory.limit_in_bytes" })
	sum := slices.IndexFunc(list, func(s setting) bool { return s.file == "memory.memsw.limit_in_bytes" })
	if memory < 0 || sum < 0 {
		return list
	}
	r := &reader{}
	old, limit := r.number(g.Dir("memory"), "memory.memsw.limit_in_bytes"), number(list[memory].value)
	if limit < 0 || uint64(limit) > old {
		list[memory], list[sum] = list[sum], list[memory]
	}
	return list
}

// moveAll puts every member into dir too. Whoever is forked meanwhile may be
// missed, so it looks again until nobody is left to move.
func (g Group) moveAll(dir string, do step.Do) error {
	moved := make(map[int]bool)
	for {
		pids, err := g.Procs()
		if err != nil {
			return err
		}
		fresh := false
		for _, pid := range pids {
			if moved[pid] {
				continue
			}
			moved[pid], fresh = true, true
			if err := write(dir+"/cgroup.procs", decimal(int64(pid)), do); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("move process %d under %s: %w", pid, dir, err)
			}
		}
		if !fresh {
			return nil
		}
	}
}

// Follow is the group in which process pid of this container is now. On cgroup
// v2 a container may move its processes into groups of its own making (systemd
// does), and then nobody else can be born in the one above.
func (g Group) Follow(pid int) (Group, error) {
	if g.Hierarchy.Mode() != V2 {
		return g, nil
	}
	text, err := readFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return g, fmt.Errorf("find the cgroup of process %d: %w", pid, err)
	}
	at, err := cleanPath(unifiedPath(text))
	if err != nil || (at != g.Path && !strings.HasPrefix(at, g.Path+"/")) {
		return g, fmt.Errorf("process %d is in cgroup %s, not in the container's, %s", pid, unifiedPath(text), g.Path)
	}
	g.Path = at
	return g, nil
}

// unifiedPath finds the cgroup2 line of /proc/<pid>/cgroup, "0::/path".
func unifiedPath(text string) string { return pathUnder(text, "") }

// pathUnder finds the line of a controller of v1, "7:cpu,cpuacct:/path".
func pathUnder(text, controller string) string {
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimRight(line, "\n"), ":", 3)
		if len(fields) == 3 && slices.Contains(strings.Split(fields[1], ","), controller) {
			return strings.TrimSuffix(fields[2], " (deleted)")
		}
	}
	return ""
}

// Files are the files in which the group's limits stand, for showing them.
func (g Group) Files() []string {
	var files []string
	for _, s := range g.settings {
		if f := g.Dir(s.controller) + "/" + s.file; !slices.Contains(files, f) {
			files = append(files, f)
		}
	}
	return files
}
