package stracecmp

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"minictr/pkg/step"
)

// Options tell Compare what belongs to the comparison.
type Options struct {
	// Ignore says which calls of the engine's own processes are not the making
	// of a container although they look so, such as starting the shim.
	Ignore func(Line) bool
}

// Compare returns what explain and strace disagree about, one sentence each;
// none means that explain told the truth and the whole truth.
func Compare(trace []Line, events []step.Event, o Options) []string {
	c := &comparison{trace: trace, seen: make([]bool, len(trace)), byPID: make(map[int][]int)}
	for i, l := range trace {
		c.byPID[l.PID] = append(c.byPID[l.PID], i)
	}
	var host []step.Event
	inside := make(map[int][]step.Event)
	for _, e := range events {
		switch {
		case e.Kind != step.CallEvent || e.Result == "(skipped)":
		case e.PID == 0:
			host = append(host, e)
		default:
			inside[e.PID] = append(inside[e.PID], e)
		}
	}
	for pid, calls := range inside {
		c.child(pid, calls)
	}
	c.host(host)
	c.unreported(o)
	return c.differences
}

type comparison struct {
	trace       []Line
	seen        []bool        // lines that an event reported
	byPID       map[int][]int // indexes of each process's lines
	children    []int         // processes whose lines the events must list completely
	differences []string
}

func (c *comparison) differ(format string, args ...any) {
	lines := strings.Split(fmt.Sprintf(format, args...), "\n")
	for i, l := range lines {
		if len(l) > 2000 { // a netlink message of a hundred rules
			lines[i] = l[:1500] + " … " + l[len(l)-400:]
		}
	}
	c.differences = append(c.differences, strings.Join(lines, "\n"))
}

// child compares a cloned process's calls, all of them, up to the execve that
// succeeds. A clone3 of its own hands the list over to the process it makes.
func (c *comparison) child(pid int, events []step.Event) {
	c.children = append(c.children, pid)
	lines := c.byPID[pid]
	for i, e := range events {
		if len(lines) == 0 {
			c.differ("explain: %s = %s in process %d, which made no further call", e.Call, e.Result, pid)
			continue
		}
		l := c.trace[lines[0]]
		if why, ok := matches(e, l); !ok {
			c.differ("call %d of process %d (%s):\n  explain: %s = %s\n  strace:  %s\n  %s", i+1, pid, e.Step, e.Call, e.Result, l, why)
			if e.Name != l.Name {
				return // out of step: every further line would differ
			}
		}
		c.seen[lines[0]] = true
		lines = lines[1:]
		switch {
		case e.Name == "execve" && e.Errno == 0:
			for _, e := range events[i+1:] {
				c.differ("explain: %s = %s in process %d, which had become a program", e.Call, e.Result, pid)
			}
			return // what strace saw from here on is the program's own
		case e.Name == "clone3" && e.Errno == 0:
			pid = int(e.Ret)
			c.children = append(c.children, pid)
			lines = c.byPID[pid]
		}
	}
	for _, i := range lines {
		if l := c.trace[i]; l.Name != "exit_group" {
			c.differ("strace: %s, which explain does not know", l)
		}
	}
}

// host finds the reported calls, in their order, among all that the engine's
// own processes made.
func (c *comparison) host(events []step.Event) {
	at := 0
	for _, e := range events {
		found := -1
		near := ""
		for i := at; i < len(c.trace); i++ {
			l := c.trace[i]
			if l.Name != e.Name || c.seen[i] || slices.Contains(c.children, l.PID) {
				continue
			}
			why, ok := matches(e, l)
			if ok {
				found = i
				break
			}
			if near == "" {
				near = fmt.Sprintf("\n  strace's next one: %s\n  %s", l, why)
			}
		}
		if found < 0 {
			c.differ("explain (%s): %s = %s, which strace has not seen%s", e.Step, e.Call, e.Result, near)
			continue
		}
		c.seen[found] = true
		at = found + 1
	}
}

// unreported looks for the making of a container behind explain's back, up to
// the last call that explain knows: that the shim takes everything back, long
// after, is not reported.
func (c *comparison) unreported(o Options) {
	programs, last := c.descendants(), len(c.seen)
	for last > 0 && !c.seen[last-1] {
		last--
	}
	for i, l := range c.trace[:last] {
		if c.seen[i] || programs[l.PID] || !makes(l) || o.Ignore != nil && o.Ignore(l) {
			continue
		}
		c.differ("strace: %s, which explain does not report", l)
	}
}

// descendants are the cloned processes and all that they made; what those do
// after their execve is the container's own business.
func (c *comparison) descendants() map[int]bool {
	all := make(map[int]bool)
	for _, pid := range c.children {
		all[pid] = true
	}
	for _, l := range c.trace { // parents' clones come before their children's
		if all[l.PID] && slices.Contains(forks, l.Name) {
			if pid, err := strconv.Atoi(strings.Fields(l.Result + " ?")[0]); err == nil {
				all[pid] = true
			}
		}
	}
	return all
}

var forks = []string{"clone", "clone3", "fork", "vfork"}

// The calls that make containers whatever their arguments are.
var making = []string{
	"mount", "umount2", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr",
	"pivot_root", "chroot", "setns", "unshare", "sethostname", "setdomainname", "mknodat", "mknod", "execve", "execveat",
}

var (
	newNamespace = regexp.MustCompile(`CLONE_NEW|CLONE_INTO_CGROUP`)
	writing      = regexp.MustCompile(`O_WRONLY|O_RDWR`)
	cgroupPath   = regexp.MustCompile(`"/sys/fs/cgroup/`)
	// Where strace prints numbers: of rtnetlink's types every fourth, counted
	// from 0x12, asks (RTM_GET…), of nftables' every third, from 0xa01; the
	// others change something. (0x10 and 0x11 also begin and end a batch.)
	changes = regexp.MustCompile(`nlmsg_type=(?:RTM_(?:NEW|DEL|SET)|NFNL_SUBSYS_NFTABLES<<8\|NFT_MSG_(?:NEW|DEL)|` +
		`0x[1-9][01345789bcdf] /\* NLMSG_\?|0xa0[0235689bce] /\* NLMSG_\?)`)
)

// makes reports whether a call makes, or unmakes, a part of a container.
func makes(l Line) bool {
	args := strings.Join(l.Args, ", ")
	switch l.Name {
	case "clone", "clone3":
		return newNamespace.MatchString(args)
	case "openat", "openat2", "open", "creat":
		return cgroupPath.MatchString(args) && writing.MatchString(args)
	case "mkdirat", "mkdir", "rmdir", "unlinkat":
		return cgroupPath.MatchString(args)
	case "bpf":
		return strings.Contains(args, "BPF_PROG_LOAD") || strings.Contains(args, "BPF_PROG_ATTACH")
	case "sendto", "sendmsg":
		return changes.MatchString(args)
	}
	return slices.Contains(making, l.Name)
}
