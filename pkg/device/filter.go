package device

import (
	"path/filepath"
	"slices"
	"strings"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const (
	why  = "Root in the container can make a node for any device; this check keeps it from using the host's disks."
	risk = "the container's root could make a node of the host's disk, and read and write it"
)

// Filter attaches the rules, and [Always] behind them, to the cgroup2 directory
// that is open in slot cgroup. If they allow everything (a privileged
// container), the step has no calls.
func Filter(rules []specs.LinuxDeviceCgroup, cgroup kernel.Slot) (step.Step, error) {
	checked, err := withAlways(rules)
	if err != nil {
		return step.Step{}, err
	}
	const prog kernel.Slot = "device-filter"
	s := newStep("the program goes with its cgroup")
	if !allowsAll(checked) {
		kind, attach := kernel.Named{Name: "BPF_PROG_TYPE_CGROUP_DEVICE", Value: unix.BPF_PROG_TYPE_CGROUP_DEVICE},
			kernel.Named{Name: "BPF_CGROUP_DEVICE", Value: unix.BPF_CGROUP_DEVICE}
		s.Calls = []kernel.Call{
			kernel.BPFProgLoad(kind, attach, program(checked), "Apache-2.0").Into(prog),
			kernel.BPFProgAttach(cgroup, prog, attach).As("bpftool cgroup attach CGROUP device pinned FILTER multi"),
			kernel.Close(kernel.FD(prog)),
		}
	}
	return s, nil
}

// Exceptions writes the rules, and [Always] behind them, into the files of a
// cgroup of v1's devices controller.
func Exceptions(rules []specs.LinuxDeviceCgroup, dir string) (step.Step, error) {
	checked, err := withAlways(rules)
	if err != nil {
		return step.Step{}, err
	}
	s := newStep("the exceptions go with the cgroup")
	if !allowsAll(checked) {
		list := lines(checked)
		for len(list) > 0 {
			var values []string
			file := list[0].file
			for len(list) > 0 && list[0].file == file {
				values, list = append(values, list[0].value), list[1:]
			}
			s.Calls = append(s.Calls, kernel.WriteEach(kernel.Str(filepath.Join(dir, file)), slices.Compact(values)...)...)
		}
	}
	return s, nil
}

func newStep(rule string) step.Step {
	return step.Step{Name: "device.filter", Topic: book.Cgroups, Why: why, Side: step.Host, Rule: rule, Risk: risk}
}

func withAlways(rules []specs.LinuxDeviceCgroup) ([]rule, error) {
	checked, err := check(rules)
	if err != nil {
		return nil, err
	}
	always, err := check(Always())
	return append(checked, always...), err
}

// allowsAll reports rules of which none after the last total one denies.
func allowsAll(rules []rule) bool {
	for i := len(rules) - 1; i >= 0; i-- {
		if !rules[i].allow || rules[i].total() {
			return rules[i].allow
		}
	}
	return false
}

// line is one write to devices.allow or devices.deny.
type line struct{ file, value string }

// lines are the rules in v1's language. There, type a means everything,
// whatever numbers stand behind it, so a rule for both types that is not about
// everything becomes two. A new cgroup starts with its parent's exceptions, so
// the first line denies all.
func lines(rules []rule) []line {
	out := []line{{"devices.deny", "a"}}
	for _, r := range rules {
		file := "devices.deny"
		if r.allow {
			file = "devices.allow"
		}
		switch text := r.String(); {
		case r.total():
			out = append(out, line{file, "a"})
		case r.kind == both:
			out = append(out, line{file, "b" + strings.TrimPrefix(text, "a")}, line{file, "c" + strings.TrimPrefix(text, "a")})
		default:
			out = append(out, line{file, text})
		}
	}
	return out
}
