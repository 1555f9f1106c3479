package capability

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Sets are the five sets of a process.
type Sets struct {
	Bounding, Permitted, Effective, Inheritable, Ambient Set
}

// Own reads the sets of this process: what it can pass on, and what its
// bounding set still has to lose.
func Own() (Sets, error) { return Read("/proc/self/status") }

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
	b, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
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
