// Package reaper is the small program that `run --init` makes a container's
// first process.
//
// # The problem
//
// The first process of a pid namespace is not like others. It gets no signal
// that it has not asked for: a program that is ended by SIGTERM everywhere else
// is not here. And it becomes the parent of all whose own parent has ended, and
// must wait for them, or they stay as zombies. Shells and init systems know;
// most programs that containers run do not.
//
// # What we do
//
// A program of its own is process 1. It starts the container's program as its
// child, passes each signal on to it, waits for whoever ends, and when the
// child does it exits with the child's code. Docker has tini for that, a
// program in C. A Go program would do, too, and would take a runtime of 2 MB,
// threads and all, into every container.
//
// Ours are the 150 instructions of reaper_amd64.s (and of reaper_arm64.s). No
// other tool makes them a program: Go's assembler translates them along with
// the rest of minictr, where nobody ever calls them, and [Program] copies them
// out of our own memory, behind the 176 bytes that the kernel wants to see in
// front of a program.
//
// The waiting is done in a way that loses nothing: all signals are blocked
// before the child exists, and are taken one after the other
// (rt_sigtimedwait). A blocked signal is kept even for a process 1 that would
// be spared it.
//
// # What we leave out
//
// What tini has options for: signals for the whole process group, a signal when
// the parent ends, other exit codes.
//
// Chapter: containers. Man pages: pid_namespaces(7), sigwaitinfo(2), wait(2),
// setpgid(2), elf(5), prctl(2) PR_SET_CHILD_SUBREAPER.
package reaper
