// Package capability decides which of root's powers a container keeps.
//
// # The problem
//
// To the kernel, root used to be one question: is the uid 0? Whoever could do
// one privileged thing could do all. A container's root should change the owner
// of its own files and bind port 80; it should not load kernel modules, set the
// clock or reconfigure the host's network.
//
// # What the kernel offers
//
// The power of root is split into 41 capabilities (as of Linux 6.18), and each
// process has five sets of them:
//
//   - bounding: what no execve can ever give this process or its children. It
//     can only shrink.
//   - permitted: what the process may use.
//   - effective: what it uses now; this is the set that is asked.
//   - inheritable: what a program with file capabilities may take over.
//   - ambient: what an ordinary program of a user other than root keeps through
//     execve. It must be permitted and inheritable.
//
// When root executes a program, the bounding set becomes permitted and
// effective. When another user does, both become empty, but for the ambient
// set and what the file's own capabilities give.
//
// # What we do
//
// [Resolve] turns docker's --cap-add, --cap-drop and --privileged into a set:
// the fourteen capabilities docker leaves a container, more or fewer. [FromSpec]
// reads the five sets of an OCI config.json. Both take away what this process
// does not have itself, for nobody can give what he lacks: a --privileged
// container on a machine without CAP_SYS_RESOURCE simply has none.
//
// The inheritable set stays empty unless a config.json fills it. Docker used to
// fill it, so that any user in the container could gain capabilities from files
// made for somebody else (CVE-2022-24769).
//
// # The order of the steps
//
//  1. [Bound] first: dropping from the bounding set needs CAP_SETPCAP.
//  2. [KeepOnSetuid], only for a user other than root: else leaving uid 0 empties
//     the permitted set, and [Set] would have nothing to choose from. execve
//     clears the flag.
//  3. The change of groups and user (package process): needs CAP_SETGID and
//     CAP_SETUID, which the container may not be going to have.
//  4. [Set]: permitted, effective and inheritable at once, then ambient, which
//     the kernel checks against the others.
//
// Mounts, pivot_root, sethostname and all else that wants privileges come
// before. [NoNewPrivs] may stand anywhere; a seccomp filter comes after it, or,
// without it, between 1 and 2.
//
// # What we leave out
//
// File capabilities (setcap) are the image's and work by themselves. The
// securebits that make uid 0 an ordinary user are not set.
//
// Chapter: Security in Docker (capabilities). Man pages: capabilities(7),
// capset(2), prctl(2).
package capability
