// Package kernel is the door to Linux: system calls as data, and the two ways
// to make them.
//
// # The problem
//
// Between clone and execve a container's first process must make a hundred
// system calls: mounts, pivot_root, sethostname, capset, seccomp. A Go program
// cannot simply fork and make them, for the runtime's threads, locks and
// garbage collector do not survive a fork. Other runtimes start themselves a
// second time inside the new namespaces, or put a C constructor in front of
// main.
//
// # What we do
//
// A [Call] is one system call as data: name, number, typed arguments, and what
// becomes of the result. The parent builds the whole list, compiles it into a
// table of machine words ([Host.Spawn]), and clones. The child is a loop over
// that table: call, write down what the kernel said, stop at the first error.
// It allocates nothing and calls nothing but the kernel; the last call is
// execve. What the kernel said goes into a [Recorder], memory shared with the
// parent, so that a failed start is reported with the call that failed, and
// explain prints what happened instead of what was meant.
//
// Results travel from call to call in slots: open_tree's descriptor is saved
// as "volume-0", and move_mount takes FD("volume-0"). A call may be guarded by
// how an earlier one ended. Waiting for the parent, a second clone, and trying
// the directories of PATH are calls in the list like any other.
//
// Calls that the parent makes itself (cgroup files, netlink) are the same data,
// made by [Host.Do].
//
// # What we leave out
//
// No loops, no branches beyond the guard, no arithmetic: what depends on more
// than that is decided where the list is built.
//
// Man pages: syscall(2), clone(2), execve(2), mount_setattr(2), netlink(7).
package kernel
