package leak

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// process is one entry of /proc.
type process struct {
	pid, parent int
	name        string // comm
	state       byte   // 'Z': a zombie
	flags       uint64
	command     string // arguments joined by spaces; empty for a zombie
}

// kernelThread is PF_KTHREAD in a process's flags (include/linux/sched.h).
const kernelThread = 0x00200000

func (p process) String() string {
	switch {
	case p.state == 'Z':
		return fmt.Sprintf("%d (%s) zombie of %d", p.pid, p.name, p.parent)
	case p.command != "":
		return fmt.Sprintf("%d %s", p.pid, p.command)
	}
	return fmt.Sprintf("%d (%s)", p.pid, p.name)
}

// processes lists what runs, without the kernel's own threads.
func (w Watch) processes() ([]string, error) {
	all, err := w.ourProcesses()
	var found []string
	for _, p := range all {
		found = append(found, p.String())
	}
	return found, err
}

func (w Watch) ourProcesses() ([]process, error) {
	all, err := readProcesses()
	if err != nil {
		return nil, err
	}
	parents := map[int]int{}
	for _, p := range all {
		parents[p.pid] = p.parent
	}
	var found []process
	for _, p := range all {
		if p.flags&kernelThread != 0 {
			continue
		}
		if len(w.Tokens) == 0 || descends(p.pid, os.Getpid(), parents) || w.processCarriesToken(p) {
			found = append(found, p)
		}
	}
	return found, nil
}

// descends follows the parents up. The process itself does not count as its own descendant.
func descends(pid, from int, parents map[int]int) bool {
	for up := parents[pid]; up != 0; up = parents[up] {
		if up == from {
			return true
		}
	}
	return false
}

// processCarriesToken looks where a process of ours shows that it is ours. A container's own process has neither our
// command line nor our environment, but it is in a cgroup of ours.
func (w Watch) processCarriesToken(p process) bool {
	if p.pid == os.Getpid() {
		return false
	}
	dir := filepath.Join("/proc", strconv.Itoa(p.pid))
	if program, _, _ := strings.Cut(p.command, " "); w.ours(filepath.Base(program)) || w.argumentIsOurs(p.command) {
		return true
	}
	if cgroup, err := os.ReadFile(dir + "/cgroup"); err == nil && w.ours(string(cgroup)) {
		return true
	}
	environment, err := os.ReadFile(dir + "/environ")
	if err != nil { // gone, or another user's
		return false
	}
	for pair := range bytes.SplitSeq(environment, []byte{0}) {
		name, value, _ := strings.Cut(string(pair), "=")
		if (name == "MINICTR_RUN" || name == "MINICTR_ROOT") && w.argumentIsOurs(value) {
			return true
		}
	}
	return false
}

// argumentIsOurs looks for tokens that are paths. A plain word such as "minictr" does not count here: it also stands in
// the arguments of an editor that has our source open.
func (w Watch) argumentIsOurs(text string) bool {
	return slices.ContainsFunc(w.Tokens, func(token string) bool {
		return strings.HasPrefix(token, "/") && strings.Contains(text, token)
	})
}

func readProcesses() ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil {
			continue
		}
		dir := filepath.Join("/proc", entry.Name())
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil { // ended meanwhile
			continue
		}
		p, err := parseStat(string(stat))
		if err != nil {
			return nil, err
		}
		if line, err := os.ReadFile(dir + "/cmdline"); err == nil {
			p.command = strings.ReplaceAll(strings.TrimRight(string(line), "\x00"), "\x00", " ")
		}
		all = append(all, p)
	}
	return all, nil
}

// parseStat reads "PID (NAME) STATE PARENT … FLAGS …"; see proc_pid_stat(5). The name may hold anything, blanks and
// parentheses too, so it ends at the last parenthesis.
func parseStat(line string) (process, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 1 || end < open {
		return process{}, fmt.Errorf("not a stat line: %q", line)
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 7 || len(fields[0]) != 1 {
		return process{}, fmt.Errorf("not a stat line: %q", line)
	}
	p := process{name: line[open+1 : end], state: fields[0][0]}
	var err error
	if p.pid, err = strconv.Atoi(strings.TrimSpace(line[:open])); err != nil {
		return process{}, fmt.Errorf("not a stat line: %w", err)
	}
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return process{}, fmt.Errorf("not a stat line: %w", err)
	}
	if p.flags, err = strconv.ParseUint(fields[6], 10, 64); err != nil {
		return process{}, fmt.Errorf("not a stat line: %w", err)
	}
	return p, nil
}

// sockets lists listening TCP, bound UDP and listening Unix sockets of the thread's network namespace. Scoped, those
// count that a process of ours, or this one, holds.
func (w Watch) sockets() ([]string, error) {
	var holders map[string]bool
	if len(w.Tokens) > 0 {
		var err error
		if holders, err = w.heldSockets(); err != nil {
			return nil, err
		}
	}
	var found []string
	for _, table := range []struct {
		name  string
		parse func(string) (socket, bool)
	}{
		{"tcp", parseInet}, {"tcp6", parseInet}, {"udp", parseInet}, {"udp6", parseInet}, {"unix", parseUnix},
	} {
		text, err := os.ReadFile("/proc/thread-self/net/" + table.name)
		if err != nil { // no IPv6
			continue
		}
		for line := range strings.Lines(string(text)) {
			if s, ok := table.parse(line); ok && (holders == nil || holders[s.inode]) {
				found = append(found, table.name+" "+s.address)
			}
		}
	}
	return found, nil
}

// heldSockets returns the inodes of the sockets that we and our processes have open.
func (w Watch) heldSockets() (map[string]bool, error) {
	all, err := w.ourProcesses()
	if err != nil {
		return nil, err
	}
	held := map[string]bool{}
	for _, p := range append(all, process{pid: os.Getpid()}) {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.pid)) // the pattern is well formed
		for _, link := range links {
			target, err := os.Readlink(link)
			if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
				held[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	return held, nil
}

type socket struct{ address, inode string }

// parseInet reads a line of /proc/net/tcp or udp. State 0A is LISTEN; a bound UDP socket is in state 07.
func parseInet(line string) (socket, bool) {
	fields := strings.Fields(line)
	if len(fields) < 10 || fields[3] != "0A" && fields[3] != "07" {
		return socket{}, false
	}
	host, port, ok := strings.Cut(fields[1], ":")
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return socket{}, false
	}
	address, ok := parseHexAddress(host)
	if !ok {
		return socket{}, false
	}
	return socket{netip.AddrPortFrom(address, uint16(number)).String(), fields[9]}, true
}

// parseHexAddress reads an address as the kernel prints it: 32-bit words in hexadecimal, each in the byte order of
// this (little-endian) machine.
func parseHexAddress(text string) (netip.Addr, bool) {
	var raw []byte
	for ; len(text) >= 8; text = text[8:] {
		word, err := strconv.ParseUint(text[:8], 16, 32)
		if err != nil {
			return netip.Addr{}, false
		}
		raw = append(raw, byte(word), byte(word>>8), byte(word>>16), byte(word>>24))
	}
	return netip.AddrFromSlice(raw)
}

// parseUnix reads a line of /proc/net/unix; flag 0x10000 means that the socket listens.
func parseUnix(line string) (socket, bool) {
	fields := strings.Fields(line)
	if len(fields) < 8 {
		return socket{}, false
	}
	flags, err := strconv.ParseUint(fields[3], 16, 64)
	if err != nil || flags&0x10000 == 0 {
		return socket{}, false
	}
	return socket{fields[7], fields[6]}, true
}
