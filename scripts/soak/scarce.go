package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// beside takes away what minictr needs, and gives it back, while a container runs. While it lacks, another container may
// not come to be, but then the error says why and nothing is left; the one that was there before goes on.
func beside(lack func(*world, plan) (int, []string)) func(*world, plan) (int, []string) {
	return func(w *world, p plan) (rounds int, problems []string) {
		if r := w.do("run", "-d", "--name", "old", "--network", "none", "--pull", "never", image, "sh", "-c", polite); r.code != 0 {
			return 1, []string{r.String()}
		}
		rounds, problems = lack(w, p)
		return rounds, append(problems, w.old()...)
	}
}

// old looks whether the container that was there before still runs, as the only one.
func (w *world) old() (problems []string) {
	if r := w.do("exec", "old", "true"); r.code != 0 {
		problems = append(problems, r.String())
	}
	all, err := w.ps()
	if err != nil || len(all) != 1 || all[0].name != "old" {
		problems = append(problems, fmt.Sprintf("instead of the old container alone: %v, %v", all, err))
		for _, c := range all {
			if c.name != "old" {
				w.do("rm", "-f", c.id)
			}
		}
	}
	return append(problems, w.truth()...)
}

// newOne makes a container and removes it. want is what the error must say; "" allows success too.
func (w *world) newOne(wrap func(args ...string) result, want string) []string {
	r := wrap("run", "--name", "new", "--network", "none", "--pull", "never", image, "true")
	var problems []string
	switch {
	case r.code == 0 && want != "":
		problems = append(problems, "a container runs all the same")
	case r.code > 0 && !strings.Contains(r.out, want):
		problems = append(problems, fmt.Sprintf("want an error with %q: %s", want, r))
	case strings.Contains(r.out, "failed to create new OS thread"): // of Go's runtime, who adds where it stood
	case strings.Contains(r.out, "panic") || strings.Contains(r.out, "goroutine "):
		problems = append(problems, r.String())
	}
	if all, err := w.ps(); err == nil && len(all) > 1 {
		if r := w.do("rm", "-f", "new"); r.code != 0 {
			problems = append(problems, r.String())
		}
	}
	return problems
}

// fullDisk is another world, on a file system of a few megabytes.
func fullDisk(w *world, p plan) (rounds int, problems []string) {
	small := &world{bin: w.bin, top: filepath.Join(w.top, "small"), outputs: w.outputs, dirs: w.dirs, random: w.random}
	small.dirs.Root = filepath.Join(small.top, "root")
	small.dirs.Run = filepath.Join(w.top, "small-run")
	if err := onTmpfs(small.top, func() error {
		rounds, problems = small.fill(p)
		return nil
	}); err != nil {
		problems = append(problems, err.Error())
	}
	return rounds, problems
}

func onTmpfs(dir string, do func() error) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("soak", dir, "tmpfs", 0, "size=12m"); err != nil {
		return fmt.Errorf("mount a small tmpfs: %w", err)
	}
	return errors.Join(do(), unix.Unmount(dir, unix.MNT_DETACH), os.Remove(dir))
}

// fill fills the disk to the last pages, a page more each time.
func (w *world) fill(p plan) (rounds int, problems []string) {
	if err := w.bringImage(); err != nil {
		return 0, []string{err.Error()}
	}
	if r := w.do("run", "-d", "--name", "old", "--network", "none", "--pull", "never", image, "sh", "-c", polite); r.code != 0 {
		return 0, []string{r.String()}
	}
	for rounds = range p.steps {
		if rounds == 0 {
			if r := w.do("run", "-d", "--name", target, "--network", "none", "--pull", "never", image, "sh", "-c", polite); r.code != 0 {
				return 0, append(problems, r.String())
			}
		}
		if err := fillBut(filepath.Join(w.top, "filler"), rounds); err != nil {
			return rounds, append(problems, err.Error())
		}
		want := ""
		if rounds == 0 {
			want = "no space left"
		}
		problems = append(problems, w.newOne(w.do, want)...)
		if rounds == 0 {
			problems = append(problems, w.endOnFullDisk()...)
		}
		if err := os.Remove(filepath.Join(w.top, "filler")); err != nil {
			return rounds, append(problems, err.Error())
		}
		problems = append(problems, w.old()...)
	}
	return rounds + 1, append(problems, w.sweep()...)
}

// endOnFullDisk ends the target. Its record must know, although there is no room to write in; so must its removal work.
func (w *world) endOnFullDisk() (problems []string) {
	for _, args := range [][]string{{"stop", "-t", "0", target}, {"rm", target}} {
		if r := w.do(args...); r.code != 0 {
			problems = append(problems, r.String())
		}
		problems = append(problems, w.truth()...)
	}
	return problems
}

// fillBut writes a file until the disk is full, and then takes some pages off it.
func fillBut(path string, pages int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	page := make([]byte, os.Getpagesize())
	size := int64(0)
	for {
		n, err := f.Write(page)
		size += int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			return f.Truncate(max(0, size-int64(pages*len(page))))
		}
		if err != nil {
			return err
		}
	}
}

// readOnly binds MINICTR_ROOT over itself, read-only, for the commands that are started now.
func readOnly(w *world, _ plan) (rounds int, problems []string) {
	root := w.dirs.Root
	err := unix.Mount(root, root, "", unix.MS_BIND, "")
	if err == nil {
		err = unix.Mount("", root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	if err != nil {
		return 0, []string{"a read-only MINICTR_ROOT: " + err.Error()}
	}
	problems = w.newOne(w.do, "read-only file system")
	problems = append(problems, w.old()...)
	if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
		problems = append(problems, err.Error())
	}
	return 1, problems
}

// fewProcesses runs minictr in cgroups that let it have a few processes and threads, one more each time.
func fewProcesses(w *world, p plan) (rounds int, problems []string) {
	for i := range p.steps {
		limit := 2 + i*40/p.steps
		problems = append(problems, w.limited("pids", map[string]string{"pids.max": strconv.Itoa(limit)})...)
	}
	return p.steps, problems
}

// littleMemory runs minictr in cgroups that let it have little memory, so that the kernel kills one who takes part.
func littleMemory(w *world, p plan) (rounds int, problems []string) {
	for i := range p.steps {
		limit := strconv.Itoa((1 << 20) + i*(24<<20)/p.steps)
		problems = append(problems, w.limited("memory", map[string]string{
			"memory.limit_in_bytes": limit, "memory.max": limit, "memory.swap.max": "0",
		})...)
	}
	return p.steps, problems
}

// limited makes a container from within a cgroup.
func (w *world) limited(controller string, limits map[string]string) (problems []string) {
	dir, err := makeCgroup(controller, limits)
	if err != nil {
		return []string{err.Error()}
	}
	defer func() {
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			err := os.Remove(dir)
			if err == nil {
				return
			}
			if time.Now().After(end) {
				problems = append(problems, err.Error())
				return
			}
		}
	}()
	// A shell enters the cgroup and becomes minictr.
	return w.newOne(func(args ...string) result {
		shell := *w
		shell.bin = filepath.Join(w.top, "limited")
		script := "#!/bin/sh\necho 0 > " + dir + "/cgroup.procs\nexec " + w.bin + "/minictr \"$@\"\n"
		if err := os.MkdirAll(shell.bin, 0o755); err != nil {
			return result{args, err.Error(), -1}
		}
		if err := os.WriteFile(filepath.Join(shell.bin, "minictr"), []byte(script), 0o755); err != nil {
			return result{args, err.Error(), -1}
		}
		return shell.do(args...)
	}, "")
}

// makeCgroup makes a cgroup with limits, of v1 or v2, whichever has the controller. Of the limits' files those count that
// are there.
func makeCgroup(controller string, limits map[string]string) (string, error) {
	parent := filepath.Join("/sys/fs/cgroup", controller)
	if _, err := os.Stat(parent); err != nil {
		parent = "/sys/fs/cgroup"
		if err := os.WriteFile(filepath.Join(parent, "cgroup.subtree_control"), []byte("+"+controller), 0); err != nil {
			return "", err
		}
	}
	dir, err := os.MkdirTemp(parent, "minictr-soak")
	if err != nil {
		return "", err
	}
	for file, value := range limits {
		err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) {
			return "", errors.Join(err, os.Remove(dir))
		}
	}
	return dir, nil
}
