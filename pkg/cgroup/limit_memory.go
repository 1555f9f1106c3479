package cgroup

import (
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// memory translates memory limits. -1 is "no limit", 0 "say nothing of it".
func (l *lister) memory(m *specs.LinuxMemory) {
	limit, swap, reservation := value(m.Limit), value(m.Swap), value(m.Reservation)
	if limit == 0 && swap == 0 && reservation == 0 && m.KernelTCP == nil && m.Swappiness == nil && !isTrue(m.DisableOOMKiller) {
		return // useHierarchy is how every kernel of ours works, the kernel limit is obsolete
	}
	v2, ok := l.world("memory", "memory")
	if !ok {
		return
	}
	if v2 {
		l.memoryV2(m, limit, swap, reservation)
	} else {
		l.memoryV1(m, limit, swap, reservation)
	}
}

func (l *lister) memoryV2(m *specs.LinuxMemory, limit, swap, reservation int64) {
	own, err := swapOnly(limit, swap)
	if err != nil {
		l.fail(err)
	}
	if limit != 0 {
		l.add("memory", "memory.max", orMax(limit))
	}
	if own != "" {
		l.list = append(l.list, setting{controller: "memory", file: "memory.swap.max", value: own, optional: true})
	}
	if reservation != 0 {
		l.add("memory", "memory.low", orMax(reservation))
	}
	if m.KernelTCP != nil {
		l.onlyV1("memory.kernelTCP", "memory.max counts socket buffers too")
	}
	if m.Swappiness != nil {
		l.onlyV1("memory.swappiness", "the host's vm.swappiness counts")
	}
	if isTrue(m.DisableOOMKiller) {
		l.onlyV1("memory.disableOOMKiller", "over its limit a container is killed; memory.high, in unified, slows it down before")
	}
}

// memoryV1 writes the limit before the sum of memory and swap, which may not
// be less; a new cgroup has no limit on the sum. An update may need them the
// other way round (see Update).
func (l *lister) memoryV1(m *specs.LinuxMemory, limit, swap, reservation int64) {
	if _, err := swapOnly(limit, swap); err != nil {
		l.fail(err)
	}
	if limit == -1 && swap == 0 {
		swap = -1 // the sum cannot be less than its part, which knows no limit now
	}
	if limit != 0 {
		l.add("memory", "memory.limit_in_bytes", decimal(limit))
	}
	if swap != 0 {
		l.list = append(l.list, setting{controller: "memory", file: "memory.memsw.limit_in_bytes", value: decimal(swap), optional: true})
	}
	if reservation != 0 {
		l.add("memory", "memory.soft_limit_in_bytes", decimal(reservation))
	}
	if m.KernelTCP != nil {
		l.add("memory", "memory.kmem.tcp.limit_in_bytes", decimal(*m.KernelTCP))
	}
	if m.Swappiness != nil {
		if *m.Swappiness > 100 {
			l.fail(fmt.Errorf("memory.swappiness: %d is not in 0..100", *m.Swappiness))
		}
		l.add("memory", "memory.swappiness", fmt.Sprint(*m.Swappiness))
	}
	if isTrue(m.DisableOOMKiller) {
		l.add("memory", "memory.oom_control", "1")
	}
}

// swapOnly turns the specification's limit on memory and swap together, which
// is v1's memsw and docker's --memory-swap, into cgroup2's limit on swap
// alone. "" is: say nothing.
func swapOnly(limit, sum int64) (string, error) {
	switch {
	case sum == 0 && limit == -1:
		return "max", nil // unlimited memory was meant to include swap
	case sum == 0:
		return "", nil
	case sum < 0:
		return "max", nil
	case limit == 0:
		return "", errors.New("memory.swap: a limit on memory and swap together needs a memory limit too")
	case limit < 0:
		return decimal(sum), nil
	case sum < limit:
		return "", fmt.Errorf("memory.swap: %d is less than the memory limit, %d, which it includes", sum, limit)
	}
	return decimal(sum - limit), nil
}

// orMax is a cgroup2 limit: any negative number is none.
func orMax(v int64) string {
	if v < 0 {
		return "max"
	}
	return decimal(v)
}

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

func isTrue(p *bool) bool { return p != nil && *p }
