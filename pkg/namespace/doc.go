// Package namespace gives a process its own view of the kernel: what it sees
// of processes, mounts, the network, host names, IPC objects, cgroups, users
// and clocks.
//
// # The problem
//
// A container is a process that believes it has a machine to itself. The
// kernel has no such thing as a container; it has eight kinds of namespace,
// and a process is in one of each kind.
//
// # What the kernel offers
//
// clone3 with CLONE_NEW* flags makes a process that starts in new namespaces;
// setns joins those of another process; unshare leaves one's own. A user
// namespace comes first: it owns all others made with it or after it, and its
// id maps (/proc/<pid>/uid_map) are written by the parent before the child may
// act as root inside.
//
// # What we do
//
// All namespaces are made by one clone3, [Clone]: the process is never seen
// half in, half out. Two kinds need more care. A pid or time namespace takes
// effect for children only, so joining one happens in the parent, before the
// clone ([JoinParent]). A cgroup namespace fixes the process's present cgroup
// as its root, so it is unshared when the process is in its cgroup (cgroup.Enter).
//
// # What we leave out
//
// Keeping namespaces alive without a process (bind mounts of /proc/*/ns/*):
// nothing would clean them up after a crash.
//
// Book: chapter 15, the course's first module. Man pages: namespaces(7),
// clone(2), setns(2), user_namespaces(7), pid_namespaces(7).
package namespace
