package cgroup

import (
	"path"
	"slices"
	"strings"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"

	"golang.org/x/sys/unix"
)

// Create makes the container's cgroup in every hierarchy it belongs to, and
// leaves the cgroup2 directory open in [Slot].
//
// Parents are made when missing and stay: whoever named them (--cgroup-parent,
// a pod) owns them. The last directory must be new, or [Group.Found]. Joining
// one that is there already would mean to limit, and in the end to kill,
// somebody else's processes.
func Create(g Group) step.Step {
	var calls []kernel.Call
	if g.Hierarchy.Unified != "" {
		calls = append(calls, g.makeUnified()...)
	}
	for _, dir := range g.joinedDirs() {
		calls = append(calls, g.makeV1(dir)...)
	}
	if g.Hierarchy.Unified != "" {
		calls = append(calls, openUnified(g))
	}
	return step.Step{
		Name:  "cgroup.create",
		Topic: book.Cgroups,
		Why:   "A cgroup is a directory; the kernel accounts and limits the processes in it as one.",
		Side:  step.Host,
		Calls: calls,
		Undo:  func(do step.Do) error { return remove(g, do) },
	}
}

// Open leaves the directory of a cgroup that exists in [Slot], for a process
// that joins a running container.
func Open(g Group) step.Step {
	s := step.Step{
		Name:  "cgroup.open",
		Topic: book.Cgroups,
		Why:   "The new process is to be born in the container's cgroup; clone3 takes a descriptor of it.",
		Side:  step.Host,
		Rule:  "a descriptor is closed with its process",
	}
	if g.Hierarchy.Unified != "" {
		s.Calls = []kernel.Call{openUnified(g)}
	}
	return s
}

// openUnified: O_PATH is enough for clone3 and bpf, and reads nothing.
func openUnified(g Group) kernel.Call {
	return kernel.Openat(kernel.AtFDCWD, path.Join(g.Unified(), g.below[""]), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(Slot)
}

// mark is an extended attribute by which the undo knows a cgroup that we made:
// what it finds under the path without it, it does not kill.
func (g Group) mark() string {
	name := "user.minictr"
	if g.Hierarchy.Unified == "" {
		name = "trusted.minictr" // v1 has no user attributes
	}
	if g.Owner != "" {
		name += "." + g.Owner
	}
	return name
}

func (g Group) marking() kernel.Call { return kernel.Setxattr(g.anchor(), g.mark(), "1") }

// makeUnified walks down from the root: a cgroup2 directory has the files of a
// controller only if all directories above pass the controller on, each in its
// cgroup.subtree_control. That must happen before the next mkdir's files are
// used, and those directories may hold no processes themselves ("no internal
// processes"), which is true of the root and of parents we make.
func (g Group) makeUnified() []kernel.Call {
	var calls []kernel.Call
	at := g.Hierarchy.Unified
	for _, name := range g.names() {
		calls = append(calls, g.passOn(at)...)
		at += "/" + name
		mkdir := kernel.Mkdir(at, 0o755)
		if at != g.Unified() || g.Found {
			mkdir = mkdir.Allowing(unix.EEXIST)
		}
		calls = append(calls, mkdir)
	}
	return append(calls, g.marking())
}

// passOn enables controllers for the children of dir, one write each, so that
// one that is refused does not keep back the others. Those that hold a limit
// must succeed. Those that only count may be refused: EBUSY when dir holds
// processes, ENOENT when its own parent does not pass them on, EINVAL when the
// cpu controller meets real-time tasks.
//
// They stay enabled afterwards. Disabling them would take away the limits of
// whoever else has come to use them.
func (g Group) passOn(dir string) []kernel.Call {
	const slot kernel.Slot = "subtree"
	var writes []kernel.Call
	for _, c := range g.Hierarchy.Controllers {
		write := kernel.Write(kernel.FD(slot), []byte("+"+c)).As("echo +" + c + " > " + dir + "/cgroup.subtree_control")
		switch {
		case slices.ContainsFunc(g.settings, func(s setting) bool { return s.controller == c }):
			writes = append(writes, write)
		case slices.Contains(alwaysV2, c):
			writes = append(writes, write.Allowing(unix.EBUSY, unix.ENOENT, unix.EINVAL))
		}
	}
	if len(writes) == 0 {
		return nil
	}
	open := kernel.Openat(kernel.AtFDCWD, dir+"/cgroup.subtree_control", unix.O_WRONLY|unix.O_CLOEXEC, 0).Into(slot)
	return append(append([]kernel.Call{open}, writes...), kernel.Close(kernel.FD(slot)))
}

// makeV1 makes dir and what is missing above it. Controllers need no enabling
// there: each hierarchy has its own from the root on.
func (g Group) makeV1(dir string) []kernel.Call {
	var calls []kernel.Call
	at := strings.TrimSuffix(dir, g.Path)
	isCpuset := at == g.Hierarchy.V1["cpuset"]
	for _, name := range g.names() {
		at += "/" + name
		if at == dir {
			mkdir := kernel.Mkdir(at, 0o755)
			if g.Found {
				mkdir = mkdir.Allowing(unix.EEXIST)
			}
			calls = append(calls, mkdir)
			break
		}
		slot := kernel.Slot("made " + at)
		calls = append(calls, kernel.Mkdir(at, 0o755).Allowing(unix.EEXIST).Into(slot))
		if isCpuset {
			calls = append(calls, g.cpuset.fill(at, slot)...)
		}
	}
	if dir == g.anchor() {
		calls = append(calls, g.marking())
	}
	return calls
}

func (g Group) names() []string { return strings.Split(path.Clean(g.Path)[1:], "/") }
