package seccomp

import (
	"cmp"
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Filter is a profile ready for the kernel.
type Filter struct {
	Program []unix.SockFilter
	Flags   Flags
}

// Empty reports a filter that filters nothing: of no profile, or of one that
// says nothing.
func (f Filter) Empty() bool { return len(f.Program) == 0 }

// Listens reports a filter that leaves some calls to a listener: the process
// that has the descriptor which loading the filter returns.
func (f Filter) Listens() bool { return f.Flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 }

// WithListener is the filter with a listener that no rule asks.
func (f Filter) WithListener() Filter {
	f.Flags |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	return f
}

// maxInstructions is BPF_MAXINSNS: the kernel takes no longer program.
const maxInstructions = 4096

// Compile translates a profile for a machine ("amd64", "arm64") into a BPF
// program. It is a pure function: the same profile makes the same program.
//
// What it does with a profile is what runc and libseccomp do, except where the
// package's documentation says otherwise.
func Compile(profile *specs.LinuxSeccomp, goarch string) (Filter, error) {
	if profile == nil || profile.DefaultAction == "" && len(profile.Syscalls) == 0 {
		return Filter{}, nil
	}
	f, err := compile(profile, goarch)
	if err != nil {
		return Filter{}, fmt.Errorf("compile the seccomp profile: %w", err)
	}
	return f, nil
}

func compile(profile *specs.LinuxSeccomp, goarch string) (Filter, error) {
	list, err := abisOf(profile.Architectures, goarch)
	if err != nil {
		return Filter{}, err
	}
	p, err := parse(profile)
	if err != nil {
		return Filter{}, err
	}
	flags, err := flagsOf(profile, p.listens)
	if err != nil {
		return Filter{}, err
	}
	prog := program{ins: make([]unix.SockFilter, 0, 512)}
	entries := make([]entry, 0, len(list))
	for i, a := range list {
		if a.bit != 0 {
			continue // x32 is a part of amd64's range of numbers
		}
		segments := p.segments(a)
		if j := slices.IndexFunc(list[i:], func(x abi) bool { return x.bit != 0 && x.audit == a.audit }); j >= 0 {
			segments = append(segments, p.segments(list[i+j])...)
		} else if a.audit == unix.AUDIT_ARCH_X86_64 {
			segments = append(segments, segment{x32Bit, target{action: badArch}})
		}
		segments = append(segments, segment{skipped, target{action: unix.SECCOMP_RET_ALLOW}})
		entries = append(entries, entry{a.audit, prog.tree(merge(segments), p.byDefault)})
	}
	prog.dispatch(entries)
	if len(prog.ins) > maxInstructions {
		return Filter{}, fmt.Errorf("the program has %d instructions, the kernel takes %d", len(prog.ins), maxInstructions)
	}
	slices.Reverse(prog.ins)
	return Filter{prog.ins, flags}, nil
}

// badArch is the fate of calls through an ABI that the profile does not name:
// libseccomp's default, too.
const badArch = unix.SECCOMP_RET_KILL_THREAD

// skipped is the number -1, which a tracer writes over a call's number to skip
// the call. No call has it, so it is let through: any other answer would
// overwrite the result that the tracer has put there.
const skipped = 0xffffffff

// noSuchCall is what the kernel itself says to a number it does not know.
const noSuchCall = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

// target is what happens to a call: the first rule whose conditions all hold
// decides, or else action does.
type target struct {
	action uint32
	rules  []rule
}

// segment is a range of call numbers that share a target; it ends where the
// next one begins.
type segment struct {
	first uint32
	target
}

// segments lays out one ABI's numbers: the default action, the calls that the
// profile names, and ENOSYS for all that lie beyond the last of these.
//
// That last part is for profiles older than the kernel. A C library tries the
// newest call first and falls back when it hears ENOSYS; the usual default,
// EPERM, it reports as an error. A profile that does not know a call cannot
// have meant to forbid it, and the best guess at what it did not know is: all
// that is numbered after the last call it names.
func (p *parsed) segments(a abi) []segment {
	rules, last := p.rules(a)
	list := make([]segment, 0, 2*len(rules)+4)
	list = append(list, segment{a.bit, target{action: p.byDefault}})
	if !p.ageing || last == 0 {
		return p.lay(list, rules, p.byDefault)
	}
	n, _ := slices.BinarySearchFunc(rules, last+1, func(r rule, nr uint32) int { return cmp.Compare(r.nr, nr) })
	list = p.lay(list, rules[:n], p.byDefault)
	list = append(list, segment{last + 1, target{action: noSuchCall}})
	return p.lay(list, rules[n:], noSuchCall)
}

// lay appends the segments of rules, which are sorted by number, and of the
// numbers between them.
func (p *parsed) lay(list []segment, rules []rule, between uint32) []segment {
	for len(rules) > 0 {
		nr, n := rules[0].nr, 1
		for n < len(rules) && rules[n].nr == nr {
			n++
		}
		list = append(list, segment{nr, decide(rules[:n:n], p.byDefault)}, segment{nr + 1, target{action: between}})
		rules = rules[n:]
	}
	return list
}

// decide makes one target of all rules for a call, in the profile's order. A
// rule without conditions covers every other one; the first such counts.
func decide(rules []rule, byDefault uint32) target {
	for _, r := range rules {
		if len(r.conditions) == 0 {
			return target{action: r.action}
		}
	}
	return target{action: byDefault, rules: rules}
}

// merge joins neighbours that end the same way: most of a profile is "allow",
// and a few dozen ranges are left of some hundred calls. Of segments that
// begin at the same number the last one counts.
func merge(list []segment) []segment {
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && out[n-1].first == s.first {
			out = out[:n-1]
		}
		if n := len(out); n > 0 && out[n-1].rules == nil && s.rules == nil && out[n-1].action == s.action {
			continue
		}
		out = append(out, s)
	}
	return out
}
