package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hierarchy is a mounted cgroup hierarchy, and where in it this process is.
type hierarchy struct {
	mount   string // where
	fstype  string // cgroup, or cgroup2
	options string // controllers or a name, as mount(8) takes them; empty for cgroup2
	own     string // path of this process within it
}

// findCgroups pairs the mounts with the places of this process.
func findCgroups() ([]hierarchy, error) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer mounts.Close()
	places, err := os.Open("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	defer places.Close()
	return parseCgroups(mounts, places)
}

// parseCgroups reads proc_pid_mountinfo(5) and cgroups(7)'s /proc/PID/cgroup.
func parseCgroups(mountinfo, cgroup io.Reader) ([]hierarchy, error) {
	own := make(map[string]string)
	for lines := bufio.NewScanner(cgroup); lines.Scan(); {
		if parts := strings.SplitN(lines.Text(), ":", 3); len(parts) == 3 {
			own[parts[1]] = parts[2]
		}
	}
	var all []hierarchy
	lines := bufio.NewScanner(mountinfo)
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 5 || len(right) < 3 || !strings.HasPrefix(right[0], "cgroup") || !strings.HasPrefix(left[4], "/sys/fs/cgroup") {
			continue
		}
		h := hierarchy{mount: left[4], fstype: right[0]}
		if h.fstype == "cgroup" {
			words := slices.DeleteFunc(strings.Split(right[2], ","), func(w string) bool {
				return slices.Contains([]string{"rw", "ro", "xattr", "noprefix", "clone_children"}, w) || strings.HasPrefix(w, "release_agent=")
			})
			h.options = strings.Join(words, ",")
		}
		h.own = own[h.options]
		// Seen from a cgroup namespace of another, a place may be "/.."; there the bench has no business.
		if h.own == "" || strings.HasPrefix(h.own, "/..") {
			continue
		}
		all = append(all, h)
	}
	return all, lines.Err()
}

// directory is the bench's own: beneath the user's own cgroup, so that his limits hold. But not on a machine with cgroup
// v2 alone: there a cgroup that has processes cannot hand controllers down, so it is beneath the root.
func (h hierarchy) directory(name string) string {
	if h.fstype == "cgroup2" {
		return filepath.Join(h.mount, name)
	}
	return filepath.Join(h.mount, h.own, name)
}

func makeCgroups(groups []hierarchy, name string) error {
	for _, h := range groups {
		dir := h.directory(name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		// A new cpuset has no processors until it is told which.
		if strings.Contains(h.options, "cpuset") {
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				value, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, file), value, 0)
				}
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func joinCgroups(groups []hierarchy, name string) error {
	for _, h := range groups {
		if err := os.WriteFile(filepath.Join(h.directory(name), "cgroup.procs"), []byte("0"), 0); err != nil {
			return fmt.Errorf("enter the bench's cgroup: %w", err)
		}
	}
	return nil
}

// mountCgroups mounts the same hierarchies again, now seen from the cgroup namespace: each begins at the bench's own
// directory.
func mountCgroups() error {
	groups, err := findCgroups()
	if err != nil || len(groups) == 0 {
		return err
	}
	if len(groups) > 1 {
		if err := unix.Mount("cgroup", "/sys/fs/cgroup", "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount /sys/fs/cgroup: %w", err)
		}
	}
	for _, h := range groups {
		if err := os.MkdirAll(h.mount, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("cgroup", h.mount, h.fstype, 0, h.options); err != nil {
			return fmt.Errorf("mount %s: %w", h.mount, err)
		}
		if h.fstype == "cgroup2" {
			if err := delegate(h.mount); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate makes all controllers of a cgroup2 available beneath the room's root. Processes must not stand in their way
// (the "no internal processes" rule of cgroups(7)): those that are here already move into a leaf.
func delegate(root string) error {
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil || len(strings.Fields(string(controllers))) == 0 {
		return err
	}
	if err := os.Mkdir(filepath.Join(root, "bench"), 0o755); err != nil {
		return err
	}
	for _, pid := range []string{"1", "0"} {
		if err := os.WriteFile(filepath.Join(root, "bench/cgroup.procs"), []byte(pid), 0); err != nil {
			return err
		}
	}
	for _, controller := range strings.Fields(string(controllers)) {
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return fmt.Errorf("hand down the %s controller: %w", controller, err)
		}
	}
	return nil
}

// removeCgroups removes the bench's directories with all in them. The processes are dead, but the kernel may need a
// moment to know it.
func removeCgroups(groups []hierarchy, name string) error {
	var wrong error
	for _, h := range groups {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			err := removeTree(h.directory(name))
			if err == nil {
				break
			}
			if time.Now().After(end) {
				wrong = errors.Join(wrong, err)
				break
			}
		}
	}
	return wrong
}

// removeTree removes directories, deepest first; the files in a cgroup go with it.
func removeTree(top string) error {
	var dirs []string
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, dir := range slices.Backward(dirs) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}
