package cgroup

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// Hierarchy says where this machine keeps its controllers. It is what the
// steps are built from, so that building them asks the kernel nothing more.
type Hierarchy struct {
	Unified     string            // where cgroup2 is mounted, "" if nowhere
	Controllers []string          // cgroup2's own controllers, as its root lists them
	V1          map[string]string // v1 controller → mount point; co-mounted ones share theirs
}

// Mode is which world this is.
type Mode string

// The worlds. On a hybrid machine cgroup2 is mounted beside v1 hierarchies
// that hold the controllers.
const (
	V2      Mode = "v2"
	Hybrid  Mode = "hybrid"
	V1      Mode = "v1"
	NoMount Mode = "none"
)

// Mode names the world.
func (h Hierarchy) Mode() Mode {
	switch {
	case h.Unified != "" && len(h.V1) > 0:
		return Hybrid
	case h.Unified != "":
		return V2
	case len(h.V1) > 0:
		return V1
	}
	return NoMount
}

// usual is where systemd, WSL and everyone else mounts cgroups.
const usual = "/sys/fs/cgroup"

// Detect looks where the hierarchies are mounted. In the common case, cgroup2
// at its usual place, that is one statfs(2); else it reads the mount table.
func Detect() (Hierarchy, error) {
	var at unix.Statfs_t
	if unix.Statfs(usual, &at) == nil && at.Type == unix.CGROUP2_SUPER_MAGIC {
		return Hierarchy{Unified: usual}.complete()
	}
	table, err := kernel.Load("/proc/self/mountinfo")
	if err != nil {
		return Hierarchy{}, fmt.Errorf("find the cgroup hierarchies: %w", err)
	}
	h, err := parseMountinfo(bytes.NewReader(table))
	if err != nil {
		return Hierarchy{}, fmt.Errorf("find the cgroup hierarchies: %w", err)
	}
	return h.complete()
}

// complete reads what the mount table does not tell.
func (h Hierarchy) complete() (Hierarchy, error) {
	if h.Unified != "" {
		list, err := readFile(filepath.Join(h.Unified, "cgroup.controllers"))
		if err != nil {
			return Hierarchy{}, fmt.Errorf("list cgroup2's controllers: %w", err)
		}
		h.Controllers = strings.Fields(list)
	}
	return h, nil
}

// Unifies reports whether controller c belongs to cgroup2 here. The kernel
// gives a controller to one hierarchy at a time.
func (h Hierarchy) Unifies(c string) bool { return slices.Contains(h.Controllers, c) }

// Has reports whether controller c can be used, in either world. cgroup2
// renamed blkio to io and dropped cpuacct, whose work every cgroup does there.
func (h Hierarchy) Has(c string) bool {
	_, v1 := h.V1[c]
	switch {
	case v1 || h.Unifies(c):
		return true
	case c == "blkio":
		return h.Unifies("io")
	case c == "io":
		return h.V1["blkio"] != ""
	case c == "cpuacct" || c == "freezer" || c == "devices":
		return h.Unified != ""
	}
	return false
}

// v1Controllers are the words that stand among the options of a v1 mount.
var v1Controllers = []string{
	"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids",
	"hugetlb", "rdma", "misc", "net_cls", "net_prio", "perf_event",
}

// mount is a line of mountinfo(5), as far as cgroups go.
type mount struct {
	root, point, fstype string
	readonly            bool
	options             []string // of the superblock: the v1 controllers are among them
}

// parseMountinfo picks the mounts of cgroup file systems out of a mount table.
// Of several mounts of one hierarchy it takes the best one (see better).
func parseMountinfo(r io.Reader) (Hierarchy, error) {
	mounts, err := topMounts(r)
	if err != nil {
		return Hierarchy{}, err
	}
	best := make(map[string]mount) // by controller; "" is cgroup2
	consider := func(controller string, m mount) {
		if old, ok := best[controller]; !ok || better(m, old) {
			best[controller] = m
		}
	}
	for _, m := range mounts {
		switch m.fstype {
		case "cgroup2":
			consider("", m)
		case "cgroup":
			for _, option := range m.options {
				if slices.Contains(v1Controllers, option) || strings.HasPrefix(option, "name=") {
					consider(option, m)
				}
			}
		}
	}
	h := Hierarchy{Unified: best[""].point}
	delete(best, "")
	if len(best) > 0 {
		h.V1 = make(map[string]string, len(best))
	}
	for controller, m := range best {
		h.V1[controller] = m.point
	}
	return h, nil
}

// topMounts reads a mount table in its order, without mounts that a later one
// covers.
func topMounts(r io.Reader) ([]mount, error) {
	var mounts []mount
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20) // an overlay of many layers makes long lines
	for lines.Scan() {
		m, ok := parseMount(lines.Text())
		if !ok {
			continue
		}
		mounts = slices.DeleteFunc(mounts, func(old mount) bool { return old.point == m.point })
		if m.fstype == "cgroup" || m.fstype == "cgroup2" {
			mounts = append(mounts, m)
		}
	}
	return mounts, lines.Err()
}

// parseMount reads one line:
//
//	36 35 98:0 / /mnt rw,noatime shared:1 - ext3 /dev/root rw,errors=continue
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	f, g := strings.Fields(before), strings.Fields(after)
	if !ok || len(f) < 6 || len(g) < 1 {
		return mount{}, false
	}
	m := mount{root: unescape(f[3]), point: unescape(f[4]), fstype: g[0]}
	m.readonly = slices.Contains(strings.Split(f[5], ","), "ro")
	if len(g) > 2 {
		m.options = strings.Split(g[2], ",")
	}
	return m, true
}

// better prefers a mount that shows the hierarchy from our own namespace's
// root ("/.." is above it, where we may not go), that is writable, and that
// shows most of it: a bind mount of one container's cgroup also is in the list.
func better(a, b mount) bool {
	if out := outside(a); out != outside(b) {
		return !out
	}
	if a.readonly != b.readonly {
		return !a.readonly
	}
	return len(a.root) < len(b.root)
}

func outside(m mount) bool { return strings.HasPrefix(m.root, "/..") }

// unescape undoes mountinfo's octal escapes for blanks and backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// readFile reads a kernel interface file without its last newline.
func readFile(path string) (string, error) {
	b, err := kernel.Load(path)
	return strings.TrimSuffix(string(b), "\n"), err
}
