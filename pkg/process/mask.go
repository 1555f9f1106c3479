package process

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// maskBits bounds the processors and memory nodes of a list: no kernel has more
// nodes (CONFIG_NODES_SHIFT is at most 10), and hardly a machine processors.
const maskBits = 8192

// parseMask reads a list like "0-2,7" as the kernel's files have them, one bit a
// number.
func parseMask(list string) ([]uint64, error) {
	var mask []uint64
	for _, part := range strings.Split(list, ",") {
		from, to, ranged := strings.Cut(strings.TrimSpace(part), "-")
		first, err := strconv.ParseUint(from, 10, 32)
		last := first
		if err == nil && ranged {
			last, err = strconv.ParseUint(to, 10, 32)
		}
		if err != nil || last < first || last >= maskBits {
			return nil, fmt.Errorf("%q is no list of numbers below %d", list, maskBits)
		}
		for n := first; n <= last; n++ {
			for uint64(len(mask)) <= n/64 {
				mask = append(mask, 0)
			}
			mask[n/64] |= 1 << (n % 64)
		}
	}
	return mask, nil
}

// Count is how many numbers such a list has.
func Count(list string) (int, error) {
	mask, err := parseMask(list)
	return ones(mask), err
}

// Within reports whether a list holds numbers of another one only. It holds
// none if it is no list.
func Within(list, other string) bool {
	some, err := parseMask(list)
	all, e := parseMask(other)
	if err != nil || e != nil {
		return false
	}
	for i, word := range some {
		if i >= len(all) && word != 0 || i < len(all) && word&^all[i] != 0 {
			return false
		}
	}
	return true
}

// Affinity has the process run on these processors, a list like "0-2,7"; an
// empty one means all that its cpuset allows. name tells several apart.
func Affinity(name, cpus string) (step.Step, error) {
	mask := make([]uint64, maskBits/64)
	for i := range mask {
		mask[i] = ^uint64(0)
	}
	var err error
	if cpus != "" {
		if mask, err = parseMask(cpus); err != nil {
			return step.Step{}, fmt.Errorf("processors to run on: %w", err)
		}
	}
	return inside("process."+name, book.Cgroups,
		"the processors that the program may run on: not those that happened to be left to whoever started it",
		kernel.SchedSetaffinity(mask).As("taskset -p")), nil
}

// memoryModes are the values of linux/mempolicy.h; those that take no nodes are
// true.
var memoryModes = map[specs.MemoryPolicyModeType]struct {
	value uintptr
	none  bool
}{
	"MPOL_DEFAULT": {0, true}, "MPOL_PREFERRED": {1, false}, "MPOL_BIND": {2, false}, "MPOL_INTERLEAVE": {3, false},
	"MPOL_LOCAL": {4, true}, "MPOL_PREFERRED_MANY": {5, false}, "MPOL_WEIGHTED_INTERLEAVE": {6, false},
}

var memoryFlags = map[specs.MemoryPolicyFlagType]uintptr{
	"MPOL_F_NUMA_BALANCING": 1 << 13, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_STATIC_NODES": 1 << 15,
}

// MemoryPolicy says which of a large machine's memory nodes the program gets its
// memory from.
func MemoryPolicy(p *specs.LinuxMemoryPolicy) (step.Step, error) {
	mode, ok := memoryModes[p.Mode]
	if !ok {
		return step.Step{}, fmt.Errorf("invalid memory policy mode %q", p.Mode)
	}
	word := kernel.Named{Name: string(p.Mode), Value: mode.value}
	for _, f := range p.Flags {
		value, ok := memoryFlags[f]
		if !ok {
			return step.Step{}, fmt.Errorf("invalid memory policy flag %q", f)
		}
		word = kernel.Named{Name: word.Name + "|" + string(f), Value: word.Value | value}
	}
	var nodes []uint64
	var err error
	if p.Nodes != "" {
		if nodes, err = parseMask(p.Nodes); err != nil {
			return step.Step{}, fmt.Errorf("invalid memory policy nodes: %w", err)
		}
	}
	if n := ones(nodes); mode.none && n > 0 {
		return step.Step{}, fmt.Errorf("memory policy %s: the mode requires 0 nodes but got %d", p.Mode, n)
	}
	return inside("process.memory-policy", book.Cgroups, "on a machine with several memory nodes: which of them the program's memory comes from",
		kernel.SetMempolicy(word, nodes)), nil
}

func ones(mask []uint64) (n int) {
	for _, word := range mask {
		n += bits.OnesCount64(word)
	}
	return n
}

// MemoryModes and MemoryFlags are what MemoryPolicy knows.
func MemoryModes() []string { return sortedNames(memoryModes) }

// MemoryFlags are the names of its flags.
func MemoryFlags() []string { return sortedNames(memoryFlags) }
