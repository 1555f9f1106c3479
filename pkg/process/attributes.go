package process

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// program is the slot of the first candidate that can be executed.
const program kernel.Slot = "program"

// Find asks for the program before anything depends on it: a container that is
// created, and only later started, must fail now if it has none. After Enter,
// for a relative name starts in the working directory.
func Find(p *specs.Process) step.Step {
	check := kernel.Faccessat2
	if kernel.AtLeast(6, 14) {
		check = kernel.ExecveCheck
	}
	var calls []kernel.Call
	for _, candidate := range candidates(p.Args[0], p.Env) {
		calls = append(calls, check(candidate).Into(program).IfFailed(program))
	}
	calls[0].When = kernel.Guard{}
	if last := &calls[len(calls)-1]; true {
		last.Allow = nil // none of them: this one's answer is the error
	}
	return inside("process.find", book.OCI, "create fails if there is no such program, and not start, when nobody may be listening any more", calls...)
}

// Keyring gives the container a session keyring of its own, without which it
// would share, and could read, the keys of whoever started it.
func Keyring(id string) step.Step {
	return inside("process.keyring", book.Capabilities,
		"keyrings are no namespace: without a new one the container reads the keys of the user who started it",
		// A kernel without keyrings, or a filter around us that forbids them, has nothing to share.
		kernel.JoinSessionKeyring("_ses."+id).Allowing(unix.ENOSYS, unix.EPERM, unix.EACCES))
}

var personas = map[specs.LinuxPersonalityDomain]uint64{specs.PerLinux: 0x0, specs.PerLinux32: 0x8}

// Persona sets the execution domain: on PER_LINUX32 uname -m says i686.
func Persona(p *specs.LinuxPersonality) (step.Step, error) {
	value, ok := personas[p.Domain]
	if !ok || len(p.Flags) > 0 {
		return step.Step{}, fmt.Errorf("unknown personality %q %v", p.Domain, p.Flags)
	}
	return inside("process.persona", book.Containers, "the machine the program believes it is made for", kernel.Personality(value)), nil
}

var ioClasses = map[specs.IOPriorityClass]kernel.Named{
	specs.IOPRIO_CLASS_RT:   {Name: "IOPRIO_CLASS_RT", Value: 1},
	specs.IOPRIO_CLASS_BE:   {Name: "IOPRIO_CLASS_BE", Value: 2},
	specs.IOPRIO_CLASS_IDLE: {Name: "IOPRIO_CLASS_IDLE", Value: 3},
}

// IOPriority sets whose disk requests go first.
func IOPriority(p *specs.LinuxIOPriority) (step.Step, error) {
	class, ok := ioClasses[p.Class]
	if !ok || p.Priority < 0 || p.Priority > 7 {
		return step.Step{}, fmt.Errorf("unknown i/o priority: class %q, priority %d", p.Class, p.Priority)
	}
	return inside("process.ioprio", book.Cgroups, "whose requests the disk serves first", kernel.IoprioSet(class, p.Priority)), nil
}

var policies = map[specs.LinuxSchedulerPolicy]uintptr{
	specs.SchedOther: unix.SCHED_NORMAL, specs.SchedFIFO: unix.SCHED_FIFO, specs.SchedRR: unix.SCHED_RR, specs.SchedBatch: unix.SCHED_BATCH,
	specs.SchedISO: 4, specs.SchedIdle: unix.SCHED_IDLE, specs.SchedDeadline: unix.SCHED_DEADLINE,
}

var schedFlags = map[specs.LinuxSchedulerFlag]uintptr{
	specs.SchedFlagResetOnFork: unix.SCHED_FLAG_RESET_ON_FORK, specs.SchedFlagReclaim: unix.SCHED_FLAG_RECLAIM,
	specs.SchedFlagDLOverrun: unix.SCHED_FLAG_DL_OVERRUN, specs.SchedFlagKeepPolicy: unix.SCHED_FLAG_KEEP_POLICY,
	specs.SchedFlagKeepParams: unix.SCHED_FLAG_KEEP_PARAMS, specs.SchedFlagUtilClampMin: unix.SCHED_FLAG_UTIL_CLAMP_MIN,
	specs.SchedFlagUtilClampMax: unix.SCHED_FLAG_UTIL_CLAMP_MAX,
}

// Scheduler sets how the program competes for processor time.
func Scheduler(s *specs.Scheduler) (step.Step, error) {
	policy, ok := policies[s.Policy]
	if !ok {
		return step.Step{}, fmt.Errorf("unknown scheduling policy %q", s.Policy)
	}
	if err := checkDeadline(s); err != nil {
		return step.Step{}, err
	}
	attr := kernel.SchedAttr{
		Policy: kernel.Named{Name: string(s.Policy), Value: policy}, Nice: s.Nice, Priority: uint32(s.Priority),
		Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period,
	}
	for _, f := range s.Flags {
		value, ok := schedFlags[f]
		if !ok {
			return step.Step{}, fmt.Errorf("unknown scheduling flag %q", f)
		}
		attr.Flags = append(attr.Flags, kernel.Named{Name: string(f), Value: value})
	}
	return inside("process.scheduler", book.Cgroups, "how the program competes for processor time", kernel.SchedSetattr(attr)), nil
}

// checkDeadline says which of the three times of SCHED_DEADLINE is wrong; the
// kernel has only EINVAL for all of them (sched(7)). A period of 0 means the
// deadline.
func checkDeadline(s *specs.Scheduler) error {
	if s.Policy != specs.SchedDeadline {
		return nil
	}
	const least, most = 1024, 1 << 63
	switch {
	case s.Runtime == 0:
		return fmt.Errorf("sched_setattr: `%s` requires `runtime`", s.Policy)
	case s.Deadline == 0:
		return fmt.Errorf("sched_setattr: `%s` requires `deadline`", s.Policy)
	case s.Runtime < least || s.Runtime > most:
		return fmt.Errorf("sched_setattr: `%s` runtime (%d) must be between %d and %d ns", s.Policy, s.Runtime, least, uint64(most))
	case s.Runtime > s.Deadline:
		return fmt.Errorf("sched_setattr: `%s` runtime (%d) must be <= deadline (%d)", s.Policy, s.Runtime, s.Deadline)
	case s.Period != 0 && s.Deadline > s.Period:
		return fmt.Errorf("sched_setattr: `%s` deadline (%d) must be <= period (%d)", s.Policy, s.Deadline, s.Period)
	}
	return nil
}

// IOPriorityClasses, SchedulerPolicies and SchedulerFlags are what the steps
// know, for the runtime's list of features.
func IOPriorityClasses() []string { return sortedNames(ioClasses) }

// SchedulerPolicies are the names that Scheduler takes.
func SchedulerPolicies() []string { return sortedNames(policies) }

// RlimitNames are the names that Limits takes.
func RlimitNames() []string { return sortedNames(rlimits) }

func sortedNames[K ~string, V any](m map[K]V) []string {
	var names []string
	for k := range m {
		names = append(names, string(k))
	}
	slices.SortFunc(names, strings.Compare)
	return names
}
