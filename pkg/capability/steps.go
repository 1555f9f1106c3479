package capability

import (
	"fmt"
	"math/bits"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// rule is why none of these steps has an undo.
const rule = "capabilities belong to the process and end with it"

func named(c Cap) kernel.Named { return kernel.Named{Name: c.String(), Value: uintptr(c)} }

// Bound drops from the bounding set all that is in have and not in keep; have
// is the bounding set the process comes with: ours, or [All] in a new user
// namespace. With nothing to drop the step has no calls and is best left out.
func Bound(keep, have Set) step.Step {
	var calls []kernel.Call
	for _, c := range (have &^ keep).List() {
		calls = append(calls, kernel.Prctl(kernel.Named{Name: "PR_CAPBSET_DROP", Value: unix.PR_CAPBSET_DROP}, named(c)))
	}
	return step.Step{
		Name:  "capability.bound",
		Topic: book.Capabilities,
		Why: fmt.Sprintf("Takes %d of root's powers from the container for ever: no program it runs, not even a set-uid one, can get them back.",
			bits.OnesCount64(uint64(have&^keep))),
		Side:  step.Inside,
		Calls: calls,
		Rule:  rule,
	}
}

// KeepOnSetuid lets the permitted set survive the step from root to another
// user, so that [Set] can choose from it. execve switches it off again.
func KeepOnSetuid() step.Step {
	return step.Step{
		Name:  "capability.keep",
		Topic: book.Capabilities,
		Why:   "Leaving uid 0 would empty all sets at once; this puts that off until the next execve.",
		Side:  step.Inside,
		Calls: []kernel.Call{kernel.Prctl(kernel.Named{Name: "PR_SET_KEEPCAPS", Value: unix.PR_SET_KEEPCAPS}, kernel.Int(1))},
		Rule:  rule,
	}
}

// Set gives the process its sets. It must come after [Bound] and after the
// change of user; see the package's documentation.
func (s Sets) Set() step.Step {
	calls := []kernel.Call{kernel.Capset(uint64(s.Effective), uint64(s.Permitted), uint64(s.Inheritable), strace)}
	// A capability that is no longer inheritable is no longer ambient either:
	// with an empty inheritable set there is nothing to clear.
	if s.Inheritable != 0 {
		calls = append(calls, ambient("PR_CAP_AMBIENT_CLEAR_ALL", unix.PR_CAP_AMBIENT_CLEAR_ALL, kernel.Int(0)))
		for _, c := range s.Ambient.List() {
			calls = append(calls, ambient("PR_CAP_AMBIENT_RAISE", unix.PR_CAP_AMBIENT_RAISE, named(c)))
		}
	}
	return step.Step{
		Name:  "capability.set",
		Topic: book.Capabilities,
		Why:   fmt.Sprintf("Leaves the container %d capabilities to use, and none to hand on in files.", bits.OnesCount64(uint64(s.Permitted))),
		Side:  step.Inside,
		Calls: calls,
		Rule:  rule,
	}
}

func ambient(name string, op uintptr, c kernel.Arg) kernel.Call {
	return kernel.Prctl(kernel.Named{Name: "PR_CAP_AMBIENT", Value: unix.PR_CAP_AMBIENT}, kernel.Named{Name: name, Value: op}, c, kernel.Int(0), kernel.Int(0))
}

// NoNewPrivs is docker's --security-opt no-new-privileges. It is not docker's
// default: with it, sudo and ping by set-uid no longer work.
func NoNewPrivs() step.Step {
	return step.Step{
		Name:  "capability.nonewprivs",
		Topic: book.Capabilities,
		Why:   "From here on no set-uid program and no file capability gives this process or its children anything.",
		Side:  step.Inside,
		Calls: []kernel.Call{kernel.SetNoNewPrivs()},
		Rule:  "no_new_privs belongs to the process and can never be switched off again",
	}
}
