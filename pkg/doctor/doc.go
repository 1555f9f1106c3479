// Package doctor examines a machine: what its kernel and its configuration
// offer to containers, what they lack, what follows from that, and the fix.
//
// # The problem
//
// A container needs some thirty features of the kernel, and each of them can be
// missing: compiled out, too old, switched off by a sysctl, forbidden to this
// user, or taken away because this machine is a container itself. What a user
// sees of it is one errno from the middle of the work. Version numbers do not
// help: distributions backport, sandboxes forbid.
//
// # What we do
//
// Every check tries. Namespaces are made, by a child that lives for a
// millisecond; an overlay is mounted, in a mount namespace that nobody else
// sees; links and firewall rules are made in a network namespace of their own;
// a seccomp filter is loaded by a process that then ends. The kernel answers
// with success or an errno, and that is the finding. Only what cannot be tried
// without changing the machine is read from /proc and /sys.
//
// A finding is fine, a warning (something will not work, or not well), missing
// (no container will run as it should), untried (it takes rights that we do not
// have), or plain information. The doctor says yes when nothing is missing.
//
// # What it leaves behind
//
// Nothing: children are reaped, namespaces end with them, and the two
// directories that are made (a cgroup without processes, one in MINICTR_ROOT)
// are removed. Only the kernel may have loaded modules (bridge, overlay), as it
// would have for a container.
//
// # What we leave out
//
// Measuring: whether the disk is slow or the memory small is not for us to say.
//
// Chapter: "Installing Docker", "Security in Docker". Man pages: namespaces(7),
// user_namespaces(7), cgroups(7), capabilities(7), seccomp(2), mount_setattr(2),
// proc(5), and the kernel's Documentation/filesystems/overlayfs.rst.
package doctor
