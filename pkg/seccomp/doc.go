// Package seccomp turns a profile of allowed and forbidden system calls into a
// program that the kernel runs in front of every call of a container.
//
// # The problem
//
// A virtual machine has a kernel of its own; a container shares the host's.
// Every one of its four hundred system calls is a door to that kernel, and an
// ordinary program needs perhaps sixty. Namespaces and capabilities limit what
// a call may reach, not the call's own bugs. Seccomp closes doors: a call that
// never gets in cannot be abused.
//
// # What the kernel offers
//
// seccomp(2) takes a program in classic BPF, the little language of tcpdump:
// load a word, compare, jump forward, return. It sees 64 bytes (the call's
// number, the ABI it came through, six arguments) and returns what shall
// happen: let it pass, fail with an errno, signal, kill, log, ask a tracer. It
// can never be removed, only narrowed by further ones, and is inherited by
// children and through execve.
//
// # What we do
//
// [Compile] takes the profile of an OCI config.json (docker's default comes
// from the profile subpackage) and writes the program. Calls with the same
// fate are joined to ranges, some hundred allowed calls to a few dozen, and a
// binary search over the ranges decides in about seven comparisons, where a
// list would take hundreds: the program runs at every single system call.
// Docker's default for the three ABIs of amd64 makes some 370 instructions (the
// libseccomp of Debian 12 makes 1015 of it), of which a call meets nine or ten
// (there: 60).
//
// Three things are easy to get wrong:
//
//   - Numbers mean nothing without the ABI: 59 is execve to a 64-bit program
//     and oldolduname to a 32-bit one on the same kernel. Each ABI has its own
//     search; one that the profile does not name is killed.
//   - i386 programs may make socket calls through socketcall(2), and System V
//     IPC through ipc(2), with the arguments behind a pointer that BPF cannot
//     follow. A rule for bind covers both ways. If the rule has conditions,
//     the second way gets it only where that is the stricter choice.
//   - Profiles age. A C library tries the newest call first and expects ENOSYS
//     from an old kernel; EPERM from an old profile makes it give up. So what
//     is numbered above all calls that the profile names fails with ENOSYS,
//     unless the profile lets unknown calls pass or a tracer decides.
//
// As in runc: several conditions of a rule must all hold, but two on the same
// argument are alternatives; a rule that repeats the default action counts for
// nothing; names that no ABI knows are left out. A rule without conditions
// beats those with; of several that hold, the first in the profile counts.
//
// [Cached] keeps compiled programs beside the container's other state, named
// by the digest of the profile's text, so that starting a container decodes
// and compiles nothing.
//
// # Where the step stands
//
// The kernel takes a filter from a process that has no_new_privs or
// CAP_SYS_ADMIN; otherwise one could confuse a set-uid program by letting its
// setuid(2) fail. With no_new_privs [Load] is therefore the last step before
// execve, and the profile need allow no more than execve itself. Without it
// the filter must be loaded while the process still has its capabilities: after
// the bounding set, before the user and the capabilities change; the calls of
// these later steps then pass through the filter, and a profile that forbids
// them (setresuid, capset, prctl) or the plan's barriers (read, write) stops the
// container from starting.
//
// A profile may leave calls to a process of the host (SCMP_ACT_NOTIFY): the
// descriptor at which they arrive is handed over as soon as the filter is loaded,
// in created containers before the gate. See [HandOver].
//
// # What we leave out
//
// Architectures other than amd64 and arm64 with their 32-bit
// ABIs have no table; those of the specification may stand in a profile, as
// their calls cannot be made here.
//
// Chapter: Security in Docker (seccomp). Man pages: seccomp(2), syscalls(2),
// prctl(2) (PR_SET_NO_NEW_PRIVS); bpf's classic form is described in the
// kernel's Documentation/networking/filter.rst.
package seccomp
