// Package cgroup puts a container into control groups: it limits what the
// container's processes may use, counts what they do use, and finds and ends
// all of them.
//
// # The problem
//
// A namespace changes what a process sees, not how much it takes. Limits of
// one process (setrlimit) are no help: a container is many processes, and a
// fork starts with a count of zero.
//
// # What the kernel offers
//
// A cgroup is a directory in a file system that the kernel makes up. mkdir
// makes a group, writing to its files sets limits, reading them gives numbers,
// and children of a member are members. What can be limited depends on
// controllers: memory, cpu, pids, io and a few more.
//
// There are two worlds. In cgroup v2 one tree has all controllers; a directory
// has a controller's files if all directories above it pass the controller on
// (cgroup.subtree_control), and only its lowest directories hold processes. In
// v1 each controller has a tree of its own, and a process stands somewhere in
// each. On hybrid machines the controllers are v1's, and an empty v2 tree is
// mounted beside them. The kernel gives a controller to one world at a time.
//
// # What we do
//
// [Detect] finds the mounts, [Hierarchy.Group] decides which controllers a
// container's resources need, and the steps follow from that:
//
//   - [Create] makes the directories and passes controllers on,
//   - [Limit] writes the limits, before there is a process to limit,
//   - clone3 bears the process into the v2 directory (CLONE_INTO_CGROUP): it
//     never was elsewhere, and nothing had to be moved,
//   - [Enter] joins v1 trees from inside, and makes the cgroup namespace.
//
// Where cgroup2 is mounted, it is what counts for membership, also on hybrid
// machines: killing (cgroup.kill), freezing, and the filter for devices work
// without any controller there, and do not race with forks as v1's ways do.
//
// On v1 trees, we join those of memory, cpu, cpuacct, pids and blkio, because
// a user wants to see their numbers, and others only to set a limit. Each costs
// a mkdir and a write; the write goes to "tasks", for to "cgroup.procs" it
// would first wait some 5 to 10 ms until no thread is just being forked
// anywhere on the machine.
//
// The name of a container's group is flat ("/minictr-<id>"): with a parent
// directory, one container's start would race with the removal of the parent
// after another's end. If a caller wants parents they are made, and stay.
// Removing a group starts with rmdir, which does no harm to a group that holds
// anybody; processes are killed only in a group that bears our mark.
//
// Controllers that we enabled for the children of the root stay enabled: others
// may have come to rely on them, and to disable one takes away their limits.
//
// # What we leave out
//
// We never mount, remount or rearrange hierarchies: paths are used as they are
// (telling systemd of them is package systemd's). We do not move processes out of our way:
// in a container whose own processes stand at its cgroup root, cgroup2 refuses
// to pass on controllers (EBUSY, "no internal processes"), and limits cannot be
// set until somebody moves them. v1's name=systemd tree is systemd's own.
//
// Man pages: cgroups(7), cgroup_namespaces(7), clone(2), and the kernel's
// admin-guide/cgroup-v2 and cgroup-v1. Topic: [book.Cgroups].
package cgroup
