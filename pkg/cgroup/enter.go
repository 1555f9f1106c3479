package cgroup

import (
	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"

	"golang.org/x/sys/unix"
)

// Enter puts the new process under the v1 controllers of its group, and then
// makes that group the root of a cgroup namespace if one is wanted. In cgroup2
// the process is already where it belongs: clone3 made it there. There may be
// nothing to do at all; the step has no calls then.
//
// It comes before the root changes (it uses the host's paths) and before the
// user does (another one may not write these files).
//
// The file is tasks and not cgroup.procs on purpose. They mean the same to a
// process with one thread, but cgroup.procs first waits until no thread
// anywhere on the machine is just being made (5 to 10 ms), and a thread that
// moves itself need not wait for that (20 µs).
//
// The namespace comes last because its root is the cgroup of the process at
// this moment. CLONE_NEWCGROUP in clone3 would be too early on v1.
func Enter(g Group, namespace bool) step.Step {
	var calls []kernel.Call
	for _, dir := range g.enteredDirs() {
		calls = append(calls, kernel.WriteFile(dir+"/tasks", "0")...)
	}
	if namespace {
		calls = append(calls, kernel.Unshare(unix.CLONE_NEWCGROUP).As("unshare --cgroup"))
	}
	why := "The process enters the cgroups that limit it, and sees them as the root of all from here on."
	if len(g.joined) == 0 {
		why = "The process, born in its cgroup, sees it as the root of all from here on."
	}
	return step.Step{
		Name:  "cgroup.enter",
		Topic: book.Cgroups,
		Why:   why,
		Side:  step.Inside,
		Calls: calls,
		Rule:  "a process leaves its cgroups by ending",
	}
}
