// Package rootfs turns a root directory into a container's whole file tree:
// pivot_root, /proc, /sys, /dev, volumes, masked and read-only paths.
//
// # The problem
//
// Sharing the kernel means that /proc and /sys speak about the host, that a
// path may lead out through a symbolic link, and that a volume is the host's
// own directory. The tree must be complete for the program and closed for the
// attacker, who wrote the image and may change it while we mount.
//
// # What the kernel offers
//
// A mount namespace has its own mount table; pivot_root exchanges its root and
// lets the old one be dropped. open_tree takes a detached copy of a mount,
// move_mount attaches it to a directory given as a descriptor, openat2 opens
// that directory under rules, mount_setattr makes it read-only.
//
// # What we do, and why in this order
//
//  1. [Sources]: detached copies of everything that comes from the host
//     (volumes, /dev/null for masking) are taken first, while host paths still
//     mean host files.
//  2. [Private]: mounts made from here on stay in this namespace.
//  3. the root is mounted (package overlay) or bound ([Bind]).
//  4. [Pivot]: the container's root becomes "/", the host's tree is dropped.
//
// From step 4 on, no path can name a host file: there is nothing of the host
// to name. All further mounts go through descriptors of directories resolved
// inside the new root, so a symbolic link of the image can only lead to
// another place of the same image. That closes the class of CVE-2021-30465 and
// CVE-2019-19921 by construction.
//
// Then the mounts in the order of the configuration ([Mounts]), device nodes
// ([Devices]), masks ([Mask]), and last the read-only root ([Seal]).
//
// # What we leave out
//
// Roots without pivot_root (an initramfs), unless asked for (NoPivot).
//
// Book: chapters 13 and 15. Man pages: mount_namespaces(7), pivot_root(2),
// open_tree(2), move_mount(2), openat2(2), mount_setattr(2), proc(5).
package rootfs
