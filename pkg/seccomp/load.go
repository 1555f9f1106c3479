package seccomp

import (
	"fmt"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Load puts the filter on the container's first process. Where it must stand
// in the plan depends on no_new_privs; see the package's documentation. The
// filter must not be empty.
func Load(f Filter) step.Step {
	return step.Step{
		Name:  "seccomp.load",
		Topic: book.Seccomp,
		Why: fmt.Sprintf("All containers share one kernel: a BPF program of %d instructions, run at every system call, "+
			"shuts the doors that containers have no business with.", len(f.Program)),
		Side:  step.Inside,
		Calls: loadCalls(f),
		Rule:  "a filter belongs to the processes that carry it and ends with the last of them",
	}
}

func loadCalls(f Filter) []kernel.Call {
	load := kernel.SeccompFilter(uint(f.Flags), f.Program)
	if !f.Listens() {
		return []kernel.Call{load}
	}
	return []kernel.Call{load.Into(listener), kernel.Tell()}
}
