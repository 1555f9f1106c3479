package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is one of the room's.
type process struct {
	pid         int
	comm, state string
}

// processes lists all that the room's PID namespace has.
func processes() (all []process) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		if p, err := parseStat(string(text)); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// parseStat reads the beginning of proc_pid_stat(5). The name is in parentheses and may contain some.
func parseStat(text string) (p process, err error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 1 || end < open {
		return p, fmt.Errorf("not a line of /proc/PID/stat: %q", text)
	}
	rest := strings.Fields(text[end+1:])
	if p.pid, err = strconv.Atoi(strings.TrimSpace(text[:open])); err != nil || len(rest) == 0 {
		return p, fmt.Errorf("not a line of /proc/PID/stat: %q", text)
	}
	p.comm, p.state = text[open+1:end], rest[0]
	return p, nil
}

// memory is what a process occupies, in KiB. Pss counts a page that n processes share as 1/n.
type memory struct{ rss, pss int }

// memoryOf reads a process's smaps_rollup.
func memoryOf(pid int) (memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return memory{}, err
	}
	return parseRollup(text)
}

func parseRollup(text []byte) (m memory, err error) {
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) != 3 || words[2] != "kB" {
			continue
		}
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return m, err
		}
		switch words[0] {
		case "Rss:":
			m.rss = n
		case "Pss:":
			m.pss = n
		}
	}
	if m.pss == 0 {
		return m, fmt.Errorf("no Pss in smaps_rollup")
	}
	return m, nil
}
