package cgroup

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"minictr/pkg/kernel"
	"minictr/pkg/step"

	"golang.org/x/sys/unix"
)

// Freeze stops all processes of the group, also those that it is just making,
// and returns when they stand still.
func (g Group) Freeze() error { return g.freeze(true) }

// Thaw lets them go on. A group that is gone, as when they have been killed
// meanwhile, has nobody who stands still.
func (g Group) Thaw() error { return g.freeze(false) }

func (g Group) freeze(on bool) error {
	file, value, state := g.anchor()+"/cgroup.freeze", "0", "THAWED"
	if on {
		value, state = "1", "FROZEN"
	}
	if g.Hierarchy.Unified == "" {
		if g.Hierarchy.V1["freezer"] == "" {
			return ErrNoController{Name: "freezer", For: "pausing a container"}
		}
		file, value = g.anchor()+"/freezer.state", state
	}
	frozen := g.Frozen
	if on && g.Hierarchy.Unified != "" {
		// A group that is removed meanwhile, for its processes have ended, never
		// freezes, and another one of that name is not the one that we wait for.
		dir, err := os.OpenRoot(g.anchor())
		if err != nil {
			return fmt.Errorf("freeze the cgroup: %w", err)
		}
		defer dir.Close()
		frozen = func() (bool, error) {
			text, err := dir.ReadFile("cgroup.events")
			return keyed(string(text), "frozen") == 1, err
		}
	}
	if err := write(file, value, step.Direct()); !on && gone(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("%s the cgroup: %w", map[bool]string{true: "freeze", false: "thaw"}[on], err)
	}
	err := poll(func() (bool, error) {
		frozen, err := frozen()
		return frozen == on, err
	})
	if err != nil {
		return fmt.Errorf("wait for %s to be %s: %w", g.Path, strings.ToLower(state), err)
	}
	return nil
}

// Frozen reports whether all processes of the group stand still.
func (g Group) Frozen() (bool, error) {
	if g.Hierarchy.Unified != "" {
		frozen, err := event(g.anchor(), "frozen")
		return frozen == 1, err
	}
	state, err := readFile(g.anchor() + "/freezer.state")
	return state == "FROZEN", err
}

// Kill sends a signal to every process of the group. SIGKILL on cgroup2 is one
// write, and misses nobody; else processes that fork meanwhile may escape.
func (g Group) Kill(sig unix.Signal) error {
	do := step.Direct()
	if sig == unix.SIGKILL && g.Hierarchy.Unified != "" {
		if err := write(g.Unified()+"/cgroup.kill", "1", do); err != nil && !gone(err) {
			return fmt.Errorf("kill the processes of %s: %w", g.Path, err)
		}
		return nil
	}
	pids, err := g.Procs()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := do(kernel.Kill(pid, sig)); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// Procs lists the processes of the group and of the groups that the container
// made below it, by their pids in our pid namespace. A group that is gone has
// none.
func (g Group) Procs() ([]int, error) { return procs(g.anchor()) }

func procs(dir string) ([]int, error) {
	var pids []int
	for _, d := range append(below(dir), dir) {
		text, err := readFile(d + "/cgroup.procs")
		if errors.Is(err, unix.EOPNOTSUPP) {
			continue // a threaded group: its processes are listed above
		}
		if err != nil && !gone(err) {
			return nil, fmt.Errorf("list a cgroup's processes: %w", err)
		}
		for line := range strings.Lines(text) {
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err == nil && pid > 0 { // 0 is a process of another pid namespace
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}

// OOMKilled reports whether the kernel has killed a process of the group
// because its memory limit was reached. Ask before the group is removed.
func (g Group) OOMKilled() bool {
	file := "memory.oom_control"
	if g.Hierarchy.Unifies("memory") {
		file = "memory.events"
	}
	text, err := readFile(g.Dir("memory") + "/" + file)
	return err == nil && keyed(text, "oom_kill") > 0
}
