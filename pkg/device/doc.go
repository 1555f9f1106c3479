// Package device decides which devices a container may use.
//
// # The problem
//
// A device node is a name for a driver: type, major and minor number. Who can
// make a node for the host's disk, and root in a container may call mknod, can
// read and write the whole disk beside all permissions of the file system.
// Keeping nodes out of /dev does not help.
//
// # What the kernel offers
//
// A check for each open and mknod of a device, by cgroup. In cgroup v2 it is
// an eBPF program attached to the cgroup's directory (BPF_CGROUP_DEVICE): it is
// given the type, the numbers and the wanted access, and says yes or no. In v1
// it is the devices controller, which keeps a list of exceptions.
//
// # What we do
//
// [Filter] compiles the OCI rules into a program, loads and attaches it: about
// sixty instructions, two system calls, 0.1 ms. [Exceptions] writes them to the
// files of v1, for machines without any cgroup2. On hybrid machines the program
// is used too; it needs no controller.
//
// Rules are read from the last to the first: for each of read, write and mknod
// that is asked for, the last rule that speaks of it and of the device counts,
// and without one the answer is no. Access to several at once (open for reading
// and writing) needs yes for each. [Always] is what the kernel's own tools
// expect in each container; like other runtimes, we put it behind the rules of
// the configuration.
//
// Making any node is allowed in that list: a node that cannot be opened is
// harmless, and package managers make some.
//
// v1 is less exact: there, a denied device is only taken out of the exceptions
// if it was put in by the same numbers, wildcards included.
//
// # What we leave out
//
// The nodes in /dev are package rootfs's work. No filter is changed while a
// container runs. In a user namespace the kernel forbids mknod by itself.
//
// Man pages: bpf(2), mknod(2), null(4), and the kernel's cgroup-v2 ("Device
// controller") and cgroup-v1/devices. Topic: [book.Cgroups].
package device
