package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"minictr/pkg/kernel"
	"minictr/pkg/step"

	"golang.org/x/sys/unix"
)

// patience bounds the wait for killed processes to go. One in the middle of a
// write to a dead disk can take for ever.
const patience = 10 * time.Second

// remove undoes Create, whatever is left of it, and can run again: a directory
// that is gone counts as removed.
//
// rmdir comes first, for a cgroup whose container has ended is empty. Only if
// that fails, and only if the cgroup bears our mark, are its members killed.
// Where the path may be somebody else's too, the mark comes before all.
func remove(g Group, do step.Do) error {
	anchor := g.anchor()
	if g.Owner != "" {
		if ours, err := g.marked(do); err != nil || !ours {
			return err
		}
	}
	err := rmdir(anchor, do)
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) {
		if ours, e := g.marked(do); e != nil || !ours {
			return e
		}
		if err = killAll(g, do); err == nil {
			err = removeTree(anchor, do)
		}
	}
	errs := []error{err}
	for _, dir := range g.everywhere()[1:] {
		errs = append(errs, removeTree(dir, do))
	}
	return errors.Join(errs...)
}

// marked reports whether the cgroup is this container's, or gone. If it is
// somebody else's, Create has refused it, and nothing is ours.
func (g Group) marked(do step.Do) (bool, error) {
	err := do(kernel.HasXattr(g.anchor(), g.mark()))
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return true, nil
	case errors.Is(err, unix.ENODATA):
		return false, nil
	}
	return false, fmt.Errorf("see whose cgroup %s is: %w", g.anchor(), err)
}

// rmdir removes one directory; one that is not there is no error.
func rmdir(dir string, do step.Do) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := do(kernel.Rmdir(dir)); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	return nil
}

// removeTree removes a cgroup and those that the container made below it. The
// last process has just ended or been killed; the kernel may hold its cgroup
// for a moment longer, so EBUSY is tried again for a while. Most containers make
// no cgroups of their own: nobody looks for them unless the kernel refuses.
func removeTree(dir string, do step.Do) error {
	if err := rmdir(dir, do); !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	return poll(func() (bool, error) {
		for _, child := range below(dir) {
			if err := rmdir(child, do); err != nil && !errors.Is(err, unix.EBUSY) {
				return false, err
			}
		}
		err := rmdir(dir, do)
		return !errors.Is(err, unix.EBUSY), err
	})
}

// below lists the cgroups under dir, children before their parents.
func below(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() {
			child := filepath.Join(dir, e.Name())
			dirs = append(append(dirs, below(child)...), child)
		}
	}
	return dirs
}

// killAll kills every member, and returns when there is none any more.
func killAll(g Group, do step.Do) error {
	if g.Hierarchy.Unified != "" {
		return killUnified(g.Unified(), do)
	}
	return killFrozen(g, do)
}

// killUnified uses cgroup.kill (Linux 5.14): the kernel kills all members at
// once, also those that are being forked.
func killUnified(dir string, do step.Do) error {
	if err := write(dir+"/cgroup.kill", "1", do); err != nil && !gone(err) {
		return fmt.Errorf("kill the cgroup's processes: %w", err)
	}
	err := poll(func() (bool, error) {
		populated, err := event(dir, "populated")
		return populated == 0, err
	})
	if err != nil {
		return fmt.Errorf("wait for the end of the processes in %s: %w", dir, err)
	}
	return nil
}

// killFrozen is v1's way: a frozen process cannot fork while we walk the list,
// and dies when it thaws.
func killFrozen(g Group, do step.Do) error {
	dir := g.anchor()
	err := poll(func() (bool, error) {
		pids, err := procs(dir)
		if err != nil || len(pids) == 0 {
			return true, err
		}
		_ = write(dir+"/freezer.state", "FROZEN", do) // fails where the anchor is no freezer; the loop does without
		for _, pid := range pids {
			if err := do(kernel.Kill(pid, unix.SIGKILL)); err != nil && !errors.Is(err, unix.ESRCH) {
				return false, err
			}
		}
		_ = write(dir+"/freezer.state", "THAWED", do)
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("kill the processes in %s: %w", dir, err)
	}
	return nil
}

// write makes the calls of kernel.WriteFile.
func write(path, value string, do step.Do) error { return doAll(kernel.WriteFile(path, value), do) }

// errSlow is the end of patience.
var errSlow = errors.New("it took longer than " + patience.String())

// poll asks until done says so, an error other than EBUSY comes, or patience
// ends. It starts eagerly: most processes die within a millisecond.
func poll(done func() (bool, error)) error {
	deadline := time.Now().Add(patience)
	for pause := 200 * time.Microsecond; ; pause = min(2*pause, 50*time.Millisecond) {
		ok, err := done()
		switch {
		case ok || (err != nil && !errors.Is(err, unix.EBUSY)):
			return err
		case time.Now().After(deadline):
			return errors.Join(errSlow, err)
		}
		time.Sleep(pause)
	}
}

// event reads one number of cgroup.events; a cgroup that is gone has none.
func event(dir, key string) (int64, error) {
	text, err := readFile(dir + "/cgroup.events")
	if gone(err) {
		return 0, nil
	}
	return keyed(text, key), err
}

// gone reports an error that means: there is no such cgroup any more. A file
// of it that was open already says ENODEV.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) }

// keyed finds a number in a file of "key number" lines, 0 if it is not there.
func keyed(text, key string) int64 {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == key {
			return number(value)
		}
	}
	return 0
}
