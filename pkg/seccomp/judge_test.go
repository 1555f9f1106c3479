package seccomp

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// judge says what a profile means for a call, straight from its text: slow,
// naive, and sharing nothing with the compiler but the table of numbers.
func judge(profile *specs.LinuxSeccomp, goarch string, d data) uint32 {
	a, audited := abiOf(profile, goarch, d)
	switch {
	case !audited:
		return unix.SECCOMP_RET_KILL_THREAD
	case d.nr == 0xffffffff:
		return unix.SECCOMP_RET_ALLOW
	case a == nil:
		return unix.SECCOMP_RET_KILL_THREAD
	}
	byDefault := word(profile.DefaultAction, profile.DefaultErrnoRet)
	var holding []uint32 // actions of the conditional rules that hold
	var always []uint32  // actions of the rules without conditions
	newest := uint32(0)
	named := false // a rule about this very call
	for _, block := range profile.Syscalls {
		action := word(block.Action, block.ErrnoRet)
		for _, name := range block.Names {
			if nr, ok := numberOf(name, a); ok {
				if nr < 0xf0000 || a.bit != 0 {
					newest = max(newest, nr)
				}
				named = named || nr == d.nr && action != byDefault
				switch {
				case nr != d.nr || action == byDefault:
				case len(block.Args) == 0:
					always = append(always, action)
				case holds(block.Args, d.args, a.narrow):
					holding = append(holding, action)
				}
			}
			gate, call, mask := gateNumber(name)
			if gate == 0 || a.scmp != specs.ArchX86 || action == byDefault {
				continue
			}
			if len(block.Args) == 0 || int32(action) < int32(byDefault) {
				newest = max(newest, gate)
				if d.nr == gate && d.args[0]&mask == call {
					holding = append(holding, action)
				}
			}
		}
	}
	forgiving := []specs.LinuxSeccompAction{specs.ActAllow, specs.ActLog, specs.ActTrace}
	switch {
	case len(always) > 0:
		return always[0]
	case len(holding) > 0:
		return holding[0]
	case newest > 0 && d.nr > newest && !named && !slices.Contains(forgiving, profile.DefaultAction):
		return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	}
	return byDefault
}

// abiOf finds the ABI of a call, nil if the profile does not name it, and
// whether it names any of that seccomp_data.arch.
func abiOf(profile *specs.LinuxSeccomp, goarch string, d data) (found *abi, audited bool) {
	for i := range abis {
		a := &abis[i]
		native := map[specs.Arch]string{specs.ArchX86_64: "amd64", specs.ArchAARCH64: "arm64"}[a.scmp]
		if a.goarch != goarch || a.audit != d.arch || native != goarch && !slices.Contains(profile.Architectures, a.scmp) {
			continue
		}
		audited = true
		if x32 := d.arch == unix.AUDIT_ARCH_X86_64 && d.nr >= 0x40000000; x32 == (a.scmp == specs.ArchX32) {
			found = a
		}
	}
	return found, audited
}

func numberOf(name string, a *abi) (uint32, bool) {
	for _, row := range syscallTable {
		if row.name == name && row.nr[a.column] >= 0 {
			return uint32(row.nr[a.column]) + a.bit, true
		}
	}
	return 0, false
}

func gateNumber(name string) (gate uint32, call, mask uint64) {
	for _, m := range multiplexed {
		if m.name == name && m.via == "ipc" {
			return 117, m.call, 0xffff
		}
		if m.name == name {
			return 102, m.call, 0xffffffff
		}
	}
	return 0, 0, 0
}

func holds(conditions []specs.LinuxSeccompArg, args [6]uint64, narrow bool) bool {
	count := make(map[uint]int)
	good, twice := 0, false
	for _, c := range conditions {
		count[c.Index]++
		twice = twice || count[c.Index] > 1
		x, v, w := args[c.Index], c.Value, c.ValueTwo
		if narrow {
			x, v, w = x&0xffffffff, v&0xffffffff, w&0xffffffff
		}
		ok := map[specs.LinuxSeccompOperator]bool{
			specs.OpEqualTo: x == v, specs.OpNotEqual: x != v, specs.OpLessThan: x < v, specs.OpLessEqual: x <= v,
			specs.OpGreaterThan: x > v, specs.OpGreaterEqual: x >= v, specs.OpMaskedEqual: x&v == w&v,
		}[c.Op]
		if ok {
			good++
		}
	}
	if twice {
		return good > 0
	}
	return good == len(conditions)
}

func word(a specs.LinuxSeccompAction, errno *uint) uint32 {
	e := uint32(1)
	if errno != nil {
		e = uint32(*errno)
	}
	return map[specs.LinuxSeccompAction]uint32{
		specs.ActKill: 0, specs.ActKillThread: 0, specs.ActKillProcess: 0x80000000, specs.ActTrap: 0x30000,
		specs.ActErrno: 0x50000 + e, specs.ActTrace: 0x7ff00000 + e, specs.ActLog: 0x7ffc0000, specs.ActAllow: 0x7fff0000,
	}[a]
}
