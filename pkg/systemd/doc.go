// Package systemd tells systemd of a container's cgroup, on machines where
// systemd is who hands out cgroups.
//
// # The problem
//
// Cgroups are directories, and anybody who may write can make one. Two who
// write do not know of each other: systemd looks after the tree it has made, and
// may move processes, turn controllers off or set a limit back in directories
// that are no unit of its. It says so itself: there shall be one writer, who
// delegates (the page "Control Group APIs and Delegation" of systemd). So on
// such machines engines pass --systemd-cgroup to their runtime, podman and
// Kubernetes by themselves, and docker on cgroup v2.
//
// # What systemd offers
//
// A unit made of processes that somebody else has started is a scope. It is
// asked for over D-Bus (org.freedesktop.systemd1(5), StartTransientUnit) with a
// name, the slice it is to lie in (systemd.slice(5): a-b.slice lies in a.slice),
// pids, and properties: limits (systemd.resource-control(5)), and Delegate=,
// with which systemd leaves everything below that directory alone. A scope ends
// with its last process.
//
// # What we do
//
// With --systemd-cgroup the configuration's cgroupsPath is not a path but
// "SLICE:PREFIX:NAME". [Parse] makes a [Scope] of it, which knows the path that
// systemd will have for it. The directory is made, limited and entered there by
// the steps of package cgroup, as always: a process can be born into it. Then
// [Scope.Start] tells systemd, with the pid of the new process, while that is
// busy with its file tree. systemd finds the directory it would have made.
//
// The limits are told twice: to the kernel in full, and to systemd as far as it
// has words for them ([Properties]), or it would take them back when it reads
// its configuration again. [Scope.Set] does that for an update.
//
// We speak D-Bus with systemd itself, over its own socket and without a bus
// (root may), and only the three messages that are needed for this: [Encode] in
// message.go and the reading of answers in answer.go are that part of the D-Bus
// specification. What we send and receive are calls in the list.
//
// # What we leave out
//
// A user's own systemd, and scopes for exec'd processes: they join the
// container's.
//
// Topic: [book.Cgroups].
package systemd
