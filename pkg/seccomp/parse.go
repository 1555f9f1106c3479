package seccomp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Flags are the SECCOMP_FILTER_FLAG_* of seccomp(2).
type Flags uint

// flagsOf reads the profile's flags. No list at all means SPEC_ALLOW, as in
// runc: without it the kernel would switch on a costly defence against
// speculative execution in every filtered process (kernels before 5.16).
//
// TSYNC would put the filter on the other threads of the process, too; ours has
// none. WAIT_KILLABLE_RECV is about the wait for a listener's answer, and the
// kernel refuses it where nobody listens.
func flagsOf(profile *specs.LinuxSeccomp, listens bool) (Flags, error) {
	var f Flags
	if listens {
		f = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	if profile.Flags == nil {
		return f | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, nil
	}
	for _, name := range profile.Flags {
		switch name {
		case specs.LinuxSeccompFlagLog:
			f |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			f |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		case "SECCOMP_FILTER_FLAG_TSYNC":
		case specs.LinuxSeccompFlagWaitKillableRecv:
			if listens {
				f |= unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
			}
		default:
			return 0, fmt.Errorf("unknown flag %q", name)
		}
	}
	return f, nil
}

// parsed is a profile in the kernel's words, the same for every ABI.
type parsed struct {
	byDefault uint32
	ageing    bool // answer ENOSYS to calls newer than the profile
	listens   bool // a listener answers some calls
	blocks    []block
}

// block is an entry of the profile's list: some calls, one action.
type block struct {
	calls      []named
	action     uint32
	conditions []condition
	any        bool // one condition is enough
}

type named struct {
	*syscallRow
	gate *multiplex // nil for most calls
}

// rule is what a block means for one call of one ABI.
type rule struct {
	nr         uint32
	action     uint32
	conditions []condition
}

func parse(profile *specs.LinuxSeccomp) (*parsed, error) {
	if profile.DefaultAction == specs.ActNotify {
		return nil, errors.New("SCMP_ACT_NOTIFY cannot be the default action: a listener answers for calls that the profile names")
	}
	action, err := actionOf(profile.DefaultAction, profile.DefaultErrnoRet)
	if err != nil {
		return nil, fmt.Errorf("default action: %w", err)
	}
	p := &parsed{byDefault: action, blocks: make([]block, len(profile.Syscalls))}
	switch profile.DefaultAction {
	case specs.ActAllow, specs.ActLog, specs.ActTrace:
		// Nothing to soften: new calls pass, or a tracer decides.
	default:
		p.ageing = true
	}
	for i, call := range profile.Syscalls {
		if p.blocks[i], err = parseBlock(call); err != nil {
			return nil, fmt.Errorf("rule %d (%s): %w", i, strings.Join(call.Names, " "), err)
		}
		p.listens = p.listens || p.blocks[i].action == unix.SECCOMP_RET_USER_NOTIF
	}
	return p, checkListener(profile, p.listens)
}

// parseBlock translates one entry. Names that no ABI knows are left out: a
// profile is written for many machines and for kernels to come.
func parseBlock(call specs.LinuxSyscall) (block, error) {
	action, err := actionOf(call.Action, call.ErrnoRet)
	if err != nil {
		return block{}, err
	}
	// The process tells us by a write that it has a listener's descriptor to
	// hand over, and would wait for that very listener to let it.
	if action == unix.SECCOMP_RET_USER_NOTIF && slices.Contains(call.Names, "write") {
		return block{}, errors.New("SCMP_ACT_NOTIFY cannot be used for the write syscall")
	}
	b := block{action: action, calls: make([]named, 0, len(call.Names))}
	for _, name := range call.Names {
		if row := lookup(name); row != nil {
			b.calls = append(b.calls, named{row, gateOf(name)})
		}
	}
	var seen [6]bool
	for _, arg := range call.Args {
		c, err := conditionOf(arg)
		if err != nil {
			return block{}, err
		}
		// Conditions are joined by "and", but two on the same argument by
		// "or": an old habit of runc that profiles rely on.
		b.any = b.any || seen[c.arg]
		seen[c.arg] = true
		b.conditions = append(b.conditions, c)
	}
	return b, nil
}

// actionOf is the word a filter returns for an action: what to do in the upper
// half, the errno (or the tracer's message) in the lower.
func actionOf(a specs.LinuxSeccompAction, errnoRet *uint) (uint32, error) {
	data := uint32(unix.EPERM)
	if errnoRet != nil {
		if *errnoRet > 4095 { // MAX_ERRNO
			return 0, fmt.Errorf("errnoRet %d is no errno", *errnoRet)
		}
		data = uint32(*errnoRet)
	}
	switch a {
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | data, nil
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | data, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF, nil
	}
	return 0, fmt.Errorf("unknown action %q", a)
}

// rules lists the profile's rules for one ABI by call number, those of one
// call in the profile's order, and the highest number that the profile names.
func (p *parsed) rules(a abi) (rules []rule, last uint32) {
	rules = make([]rule, 0, len(syscallTable))
	for i := range p.blocks {
		b := &p.blocks[i]
		conditions := narrowed(b.conditions, a.narrow)
		for _, call := range b.calls {
			nr, ok := call.number(a)
			if ok {
				if nr < armPrivate || a.bit != 0 {
					last = max(last, nr)
				}
				// A rule that repeats the default is no rule: it must not
				// cover others that are narrower.
				if b.action != p.byDefault {
					rules = b.appendTo(rules, nr, conditions)
				}
			}
			if call.gate != nil && a.scmp == specs.ArchX86 && b.action != p.byDefault {
				if r, ok := p.throughGate(b, call.gate, a); ok {
					last = max(last, r.nr)
					rules = append(rules, r)
				}
			}
		}
	}
	return sorted(rules), last
}

// sorted orders rules by number, and those of one number as they come. Sorting
// plain numbers is several times as fast as sorting rules.
func sorted(rules []rule) []rule {
	keys := make([]uint64, len(rules))
	for i, r := range rules {
		keys[i] = uint64(r.nr)<<32 | uint64(i)
	}
	slices.Sort(keys)
	out := make([]rule, len(rules))
	for i, k := range keys {
		out[i] = rules[uint32(k)]
	}
	return out
}

func (b *block) appendTo(rules []rule, nr uint32, conditions []condition) []rule {
	if !b.any {
		return append(rules, rule{nr, b.action, conditions})
	}
	for i := range conditions {
		rules = append(rules, rule{nr, b.action, conditions[i : i+1 : i+1]})
	}
	return rules
}

// throughGate is the rule for a call's second way, through socketcall or ipc.
// There the arguments are behind a pointer that a filter cannot follow, so the
// rule's conditions cannot be asked: the rule then counts always if it is
// stricter than the default, and never if it is laxer. The kernel orders the
// actions: the smaller, as a signed number, the stricter.
func (p *parsed) throughGate(b *block, m *multiplex, a abi) (rule, bool) {
	if len(b.conditions) > 0 && int32(b.action) > int32(p.byDefault) {
		return rule{}, false
	}
	nr, _ := lookup(m.via).number(a)
	// ipc's upper half is the version of its interface.
	which := condition{op: specs.OpMaskedEqual, mask: 0xffff, value: m.call, low: true}
	if m.via == "socketcall" {
		which = condition{op: specs.OpEqualTo, value: m.call, low: true}
	}
	return rule{nr, b.action, []condition{which}}, true
}
