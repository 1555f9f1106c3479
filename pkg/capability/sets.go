package capability

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// Sets are the five sets of a process.
type Sets struct {
	Bounding, Permitted, Effective, Inheritable, Ambient Set
}

// Own asks for the sets of this process: what it can pass on, and what its
// bounding set still has to lose. To ask for each capability is quicker than to
// have /proc/self/status written.
func Own() (Sets, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var half [2]unix.CapUserData
	if err := unix.Capget(&header, &half[0]); err != nil {
		return Sets{}, fmt.Errorf("read the capabilities of this process: %w", err)
	}
	s := Sets{
		Permitted:   Set(half[1].Permitted)<<32 | Set(half[0].Permitted),
		Effective:   Set(half[1].Effective)<<32 | Set(half[0].Effective),
		Inheritable: Set(half[1].Inheritable)<<32 | Set(half[0].Inheritable),
	}
	for c := range 64 { // the kernel's first EINVAL is behind its last capability
		bounding, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if err != nil {
			break
		}
		ambient, _ := unix.PrctlRetInt(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_IS_SET, uintptr(c), 0, 0)
		s.Bounding |= Set(bounding) << c
		s.Ambient |= Set(max(ambient, 0)) << c
	}
	return s, nil
}

// Read reads the sets of a process from its status file in /proc.
func Read(path string) (Sets, error) {
	f, err := os.Open(path)
	if err != nil {
		return Sets{}, fmt.Errorf("read the capabilities of a process: %w", err)
	}
	defer f.Close()
	return parseStatus(f)
}

func parseStatus(r io.Reader) (Sets, error) {
	var s Sets
	fields := map[string]*Set{
		"CapBnd": &s.Bounding, "CapPrm": &s.Permitted, "CapEff": &s.Effective, "CapInh": &s.Inheritable, "CapAmb": &s.Ambient,
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), ":")
		field, ok := fields[key]
		if !ok {
			continue
		}
		v, err := parseHex(value)
		if err != nil {
			return Sets{}, err
		}
		*field = v
		delete(fields, key)
	}
	if err := lines.Err(); err != nil {
		return Sets{}, fmt.Errorf("read the capabilities of a process: %w", err)
	}
	if len(fields) > 0 {
		return Sets{}, fmt.Errorf("read the capabilities of a process: its status lacks %d of the five sets", len(fields))
	}
	return s, nil
}

// All is every capability the running kernel knows, which is what the first
// process of a new user namespace has in it.
func All() (Set, error) {
	b, err := kernel.Load("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return 0, fmt.Errorf("ask the kernel for its capabilities: %w", err)
	}
	var last uint
	if _, err := fmt.Sscan(string(b), &last); err != nil || last > 63 {
		return 0, fmt.Errorf("ask the kernel for its capabilities: %q is no number of one", b)
	}
	return ^Set(0) >> (63 - last), nil
}

// Available is what this process can give to a child: what it may use itself
// and what its bounding set lets survive an execve.
func (s Sets) Available() Set { return s.Permitted & s.Bounding }

// Spec is the sets as docker writes them to config.json for a container that
// has these capabilities: nothing inheritable, nothing ambient.
func (s Set) Spec() *specs.LinuxCapabilities {
	return &specs.LinuxCapabilities{Bounding: s.Names(), Effective: s.Names(), Permitted: s.Names()}
}

// FromSpec reads the sets of a config.json, as far as available has them. What
// is left out is told in warnings and is no error: the runtime specification
// wants containers to start without capabilities that cannot be had.
func FromSpec(c *specs.LinuxCapabilities, available Set) (sets Sets, warnings []string) {
	if c == nil {
		return Sets{}, nil
	}
	told := make(map[string]bool)
	warn := func(format string, args ...any) {
		if w := fmt.Sprintf(format, args...); !told[w] {
			told[w] = true
			warnings = append(warnings, w)
		}
	}
	read := func(list []string) Set {
		var s Set
		for _, name := range list {
			c, known := parseCap(name)
			switch {
			case !known:
				warn("unknown capability %q left out", name)
			case !available.Has(c):
				warn("%s is not available here and left out", c)
			default:
				s |= Of(c)
			}
		}
		return s
	}
	limit := func(s *Set, to Set, what, why string) {
		if over := *s &^ to; over != 0 {
			warn("%s %s left out: not %s", what, over, why)
		}
		*s &= to
	}
	sets = Sets{read(c.Bounding), read(c.Permitted), read(c.Effective), read(c.Inheritable), read(c.Ambient)}
	// What the kernel would answer with EPERM (capset(2), prctl(2)).
	limit(&sets.Effective, sets.Permitted, "effective", "permitted")
	limit(&sets.Inheritable, sets.Bounding, "inheritable", "in the bounding set")
	limit(&sets.Ambient, sets.Permitted&sets.Inheritable, "ambient", "permitted and inheritable")
	return sets, warnings
}
