package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// torn cuts off each file of a container's record, one that has ended or one that was killed with its shim, at lengths
// that a write can have reached. minictr says so, or does without; it keeps the other containers apart; and it can remove
// what is torn. (The journal is in memory and written a line at once: package step tests what is read of half a line.)
func torn(w *world, p plan) (rounds int, problems []string) {
	if r := w.do("run", "-d", "--name", "old", "--network", "none", "--pull", "never", image, "sh", "-c", polite); r.code != 0 {
		return 0, []string{r.String()}
	}
	for _, running := range []bool{false, true} {
		id, files, err := w.victim(running)
		if err != nil {
			return rounds, append(problems, err.Error())
		}
		for _, file := range files {
			for _, part := range []int{0, 50, 99} {
				if rounds++; p.rounds < whole.rounds && rounds%5 != 0 {
					continue
				}
				for _, text := range w.tear(id, file, part) {
					problems = append(problems, fmt.Sprintf("%s cut off at %d%%, container running: %v: %s", file, part, running, text))
				}
				if id, _, err = w.victim(running); err != nil {
					return rounds, append(problems, err.Error())
				}
			}
		}
	}
	return rounds, problems
}

// victim makes a container whose record can be torn, or uses the one that is there, and lists its files.
func (w *world) victim(running bool) (id string, files []string, err error) {
	all, err := w.ps()
	if err != nil {
		return "", nil, err
	}
	for _, c := range all {
		if c.name == target {
			if r := w.do("rm", "-f", c.id); r.code != 0 {
				return "", nil, errors.New(r.String())
			}
		}
	}
	args := []string{"--name", target, "--network", "none", "--pull", "never", image}
	r := w.do(append([]string{"run", "-d"}, append(args, "sh", "-c", polite)...)...)
	if r.code == 0 && !running {
		r2 := w.do("kill", target)
		if r2.code == 0 {
			r2 = w.do("wait", target)
		}
		if r2.code != 0 {
			r = r2
		}
	}
	if r.code != 0 {
		return "", nil, errors.New(r.String())
	}
	id = strings.TrimSpace(r.out)
	for _, pid := range w.shims(id) {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	for len(w.shims(id)) > 0 {
		time.Sleep(time.Millisecond)
	}
	entries, err := os.ReadDir(w.dirs.Container(id))
	for _, e := range entries {
		if e.Type().IsRegular() {
			files = append(files, strings.ReplaceAll(e.Name(), id, "ID"))
		}
	}
	return id, files, err
}

// tear cuts a file and looks what minictr makes of it.
func (w *world) tear(id, file string, part int) (problems []string) {
	path := filepath.Join(w.dirs.Container(id), strings.ReplaceAll(file, "ID", id))
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, info.Size()*int64(part)/100)
	}
	if err != nil {
		return []string{err.Error()}
	}
	for _, args := range [][]string{{"ps", "-a"}, {"inspect", id}, {"logs", id}, {"start", id}, {"stop", "-t", "0", id}, {"rm", "-f", id}, {"ps", "-aq"}} {
		r := w.do(args...)
		if r.code < 0 || strings.Contains(r.out, "panic:") || strings.Contains(r.out, "goroutine ") {
			problems = append(problems, r.String())
		}
		last := args[0] == "rm" || args[0] == "ps"
		if last && r.code != 0 {
			problems = append(problems, r.String())
		}
		if args[0] == "ps" && !strings.Contains(w.do("ps", "--format", "{{.Names}}").out, "old") {
			problems = append(problems, "ps forgets the other container")
		}
	}
	for _, path := range slices.DeleteFunc(w.left([]listed{{id: id}}), func(path string) bool { return !strings.Contains(path, id) }) {
		problems = append(problems, "left behind: "+path)
	}
	return problems
}
