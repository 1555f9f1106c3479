package namespace

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// A time namespace is entered by being born, as a pid namespace is, but with a
// rule more: only a process with a single thread may join one, which excludes
// our own, and offsets can be set only until the first process is in it, which
// excludes clone3. So a first process prepares, and a second one that it makes
// goes on in its place.

// TwoBirths reports whether the set needs that.
func (s Set) TwoBirths(offsets map[string]specs.LinuxTimeOffset) bool {
	return s.Joins(unix.CLONE_NEWTIME) || s.Has(unix.CLONE_NEWTIME) && len(offsets) > 0
}

// SecondBirth comes right after a Clone without any namespace: the process
// prepares what only children enter and makes its successor, in all new
// namespaces but those in later. The host hears of its pid.
func SecondBirth(s Set, later kernel.CloneFlags, offsets map[string]specs.LinuxTimeOffset) (step.Step, error) {
	var calls []kernel.Call
	for _, j := range s.Join {
		if j.Flag&childrenOnly != 0 || s.before(j) {
			calls = append(calls, j.calls()...)
		}
	}
	if s.Has(unix.CLONE_NEWTIME) {
		text, err := offsetText(offsets)
		if err != nil {
			return step.Step{}, err
		}
		calls = append(calls, kernel.Unshare(unix.CLONE_NEWTIME).As("unshare --time"))
		calls = append(calls, kernel.WriteFile("/proc/self/timens_offsets", text)...)
	}
	flags := s.New &^ (later | unix.CLONE_NEWTIME)
	calls = append(calls,
		kernel.CloneAgain(kernel.CloneArgs{Flags: flags | unix.CLONE_PARENT | unix.CLONE_CLEAR_SIGHAND}).Into(step.PID).As(unshareCommand(flags)),
		kernel.Tell())
	return step.Step{
		Name: "namespace.clone-again", Topic: book.Namespaces, Side: step.Inside, Calls: calls,
		Why:  "a clock's offset can be set only before the first process lives by it; the process that set it makes one that does",
		Rule: "namespaces vanish with their last process",
	}, nil
}

// offsetText is what /proc/<pid>/timens_offsets takes.
func offsetText(offsets map[string]specs.LinuxTimeOffset) (string, error) {
	var b strings.Builder
	for _, clock := range slices.Sorted(maps.Keys(offsets)) {
		if clock != "monotonic" && clock != "boottime" {
			return "", fmt.Errorf("time offset of clock %q: there are monotonic and boottime", clock)
		}
		fmt.Fprintf(&b, "%s %d %d\n", clock, offsets[clock].Secs, offsets[clock].Nanosecs)
	}
	return b.String(), nil
}

// Descend is the half of Reach that our process cannot do for a container with
// a time namespace: the child joins, and a second one goes on.
func Descend(s Set) step.Step {
	return step.Step{
		Name: "namespace.descend", Topic: book.Namespaces, Side: step.Inside,
		Why: "only children enter a pid or time namespace, and only a process with one thread may choose a time namespace for them",
		Calls: []kernel.Call{
			kernel.Setns(kernel.FD(target), s.All()&childrenOnly),
			kernel.CloneAgain(kernel.CloneArgs{Flags: unix.CLONE_PARENT}).Into(step.PID),
		},
		Rule: "a process's membership ends with the process",
	}
}

// Descends reports whether an exec needs Descend.
func (s Set) Descends() bool { return s.All()&unix.CLONE_NEWTIME != 0 }
