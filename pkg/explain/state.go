package explain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/capability"
)

// Snapshot is what a process has been given, as /proc shows it from outside.
// Taking one changes nothing, so it can be taken of a half-made container that
// stands still between two steps.
type Snapshot struct {
	PID        int         `json:"pid"`
	Namespaces []Namespace `json:"namespaces"`
	Process    []Fact      `json:"process"` // program, directories, identity, capabilities, filters
	Hostname   string      `json:"hostname"`
	Cgroups    []Cgroup    `json:"cgroups"`
	Mounts     []Mount     `json:"mounts"`
	Network    Network     `json:"network"`
	Limits     []Fact      `json:"limits"`
	Files      []Fact      `json:"files"` // open descriptors
}

// Namespace is one of a process's namespaces.
type Namespace struct {
	Kind string `json:"kind"` // the name in /proc/<pid>/ns
	ID   string `json:"id"`   // the inode that identifies it
	Own  bool   `json:"own"`  // not the one that the observer lives in
}

// Fact is one named value.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// State takes a picture of process pid. It needs root for other users'
// processes. A process that is gone is fs.ErrNotExist; what vanishes or is
// refused while the rest can be seen stands in the picture as an error text.
func State(pid int) (Snapshot, error) {
	s := Snapshot{PID: pid}
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	var err error
	if s.Namespaces, err = namespaces(proc); err != nil {
		return s, fmt.Errorf("look at process %d: %w", pid, err)
	}
	if s.Mounts, err = mounts(proc); err != nil {
		return s, fmt.Errorf("look at process %d: %w", pid, err)
	}
	s.Process = process(proc)
	s.Limits = limits(proc)
	s.Files = files(proc)
	s.Cgroups = cgroups(proc)
	s.Hostname = hostname(proc)
	s.Network = network(pid, s.own("net"))
	return s, nil
}

func (s Snapshot) own(kind string) bool {
	return slices.ContainsFunc(s.Namespaces, func(n Namespace) bool { return n.Kind == kind && n.Own })
}

// namespaces compares the process's namespaces with our own.
func namespaces(proc string) ([]Namespace, error) {
	entries, err := os.ReadDir(filepath.Join(proc, "ns"))
	if err != nil {
		return nil, err
	}
	var all []Namespace
	for _, e := range entries {
		link, err := os.Readlink(filepath.Join(proc, "ns", e.Name()))
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue // pid_for_children of a process whose child has not come yet
			}
			return nil, err
		}
		ours, _ := os.Readlink(filepath.Join("/proc/thread-self/ns", e.Name()))
		all = append(all, Namespace{e.Name(), inode(link), link != ours})
	}
	return all, nil
}

// inode is the number in "net:[4026531840]".
func inode(link string) string {
	_, id, _ := strings.Cut(link, ":")
	return strings.Trim(id, "[]")
}

// process collects what is known of the process itself.
func process(proc string) []Fact {
	var all []Fact
	for _, link := range []string{"exe", "root", "cwd"} {
		all = append(all, Fact{link, readlink(filepath.Join(proc, link))})
	}
	b, err := os.ReadFile(filepath.Join(proc, "status"))
	if err != nil {
		return append(all, Fact{"status", err.Error()})
	}
	all = append(all, status(string(b))...)
	for _, f := range []string{"uid_map", "gid_map", "setgroups", "oom_score_adj", "attr/current"} {
		if b, err := os.ReadFile(filepath.Join(proc, f)); err == nil {
			all = append(all, Fact{f, oneLine(string(b))})
		}
	}
	return all
}

// The lines of /proc/<pid>/status that containers change.
var statusNames = []string{
	"Umask", "NSpid", "NSsid", "Uid", "Gid", "Groups",
	"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters",
}

func status(text string) []Fact {
	values := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			values[name] = oneLine(value)
		}
	}
	var all []Fact
	for _, name := range statusNames {
		v, ok := values[name]
		if !ok {
			continue
		}
		switch {
		case v == "":
			v = "none"
		case strings.HasPrefix(name, "Cap"):
			v = capabilities(v)
		case name == "Seccomp":
			v = seccompMode(v)
		}
		all = append(all, Fact{name, v})
	}
	return all
}

// capabilities adds the names to a set, or their number where most are in it.
func capabilities(hex string) string {
	n, err := strconv.ParseUint(hex, 16, 64)
	if err != nil {
		return hex
	}
	set := capability.Set(n)
	if count := len(set.List()); count > 20 {
		return fmt.Sprintf("%s (%d of them)", hex, count)
	}
	return hex + " (" + strings.ReplaceAll(set.String(), ",", " ") + ")"
}

func seccompMode(v string) string {
	switch v {
	case "0":
		return "0 (no filter)"
	case "1":
		return "1 (strict)"
	case "2":
		return "2 (filter)"
	}
	return v
}

func limits(proc string) []Fact {
	b, err := os.ReadFile(filepath.Join(proc, "limits"))
	if err != nil {
		return nil
	}
	return parseLimits(string(b))
}

// parseLimits reads the table of /proc/<pid>/limits, whose columns have fixed
// widths.
func parseLimits(text string) []Fact {
	var all []Fact
	for i, line := range strings.Split(text, "\n") {
		if i == 0 || len(line) < 47 {
			continue
		}
		soft, hard := strings.TrimSpace(line[26:min(46, len(line))]), line[min(47, len(line)):]
		if f := strings.Fields(hard); len(f) > 0 {
			hard = f[0]
		}
		all = append(all, Fact{strings.TrimSpace(line[:26]), "soft " + soft + ", hard " + hard})
	}
	return all
}

func files(proc string) []Fact {
	entries, err := os.ReadDir(filepath.Join(proc, "fd"))
	if err != nil {
		return []Fact{{"fd", err.Error()}}
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int {
		return len(a.Name())*1000 - len(b.Name())*1000 + strings.Compare(a.Name(), b.Name())
	})
	var all []Fact
	for _, e := range entries {
		all = append(all, Fact{e.Name(), readlink(filepath.Join(proc, "fd", e.Name()))})
	}
	return all
}

// hostname asks the process's uts namespace. A name belongs to the namespace of
// the task that asks, so a thread of ours goes there and comes back. Should it
// not come back, it stays locked to this goroutine and ends with it.
func hostname(proc string) string {
	answer := make(chan string)
	go func() {
		runtime.LockOSThread()
		name, back := hostnameIn(filepath.Join(proc, "ns/uts"))
		if back {
			runtime.UnlockOSThread()
		}
		answer <- name
	}()
	return <-answer
}

func hostnameIn(path string) (name string, back bool) {
	home, err := unix.Open("/proc/thread-self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "? (" + err.Error() + ")", true
	}
	defer unix.Close(home)
	there, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "? (" + err.Error() + ")", true
	}
	defer unix.Close(there)
	if err := unix.Setns(there, unix.CLONE_NEWUTS); err != nil {
		return "? (" + err.Error() + ")", true
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		name = unix.ByteSliceToString(u.Nodename[:])
	}
	return name, unix.Setns(home, unix.CLONE_NEWUTS) == nil
}

func readlink(path string) string {
	link, err := os.Readlink(path)
	if err != nil {
		return "? (" + errors.Unwrap(err).Error() + ")"
	}
	return link
}

// oneLine joins lines with "; " and fields with one space.
func oneLine(s string) string {
	var lines []string
	for line := range strings.Lines(strings.Trim(s, "\x00\n ")) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "; ")
}
