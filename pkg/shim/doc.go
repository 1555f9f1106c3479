// Package shim looks after one container, from the first call of its plan to
// the last one of its undoing.
//
// # The problem
//
// A process has one parent, and only the parent learns how it ended. Somebody
// must hold the other end of its pipes or of its terminal, or it blocks; keep
// what it prints; and clear up when it is gone. The command that the user
// typed cannot be that somebody: it ends, or is detached from, or is killed,
// and the container goes on. A daemon for all containers could, and then its
// restart or crash is everybody's.
//
// # What we do
//
// One small process per container, minictr-shim, as containerd does it. The
// command line starts it with one end of a socket, tells it what to do and
// follows what happens (package client); other commands connect later. [Run]
// reads as the container's life: prepare, make, wait, finish.
//
// What the kernel does for us: a container's first process is killed when the
// thread that cloned it ends (PR_SET_PDEATHSIG), so nothing runs unwatched;
// the lock of a dead shim is free, so everybody can see that it is dead; and
// the journal says what it had begun, so anybody can undo it ([Settle]).
//
// Being small matters: a machine runs hundreds. So the shim keeps few threads,
// makes next to no garbage, and gives memory back once its container runs
// (memory.go).
//
// A shim that is asked to end, as by the machine's shutdown, asks its container
// to end first (asked.go).
//
// A container may have several runs: [Run] makes it again, from the same files,
// as its restart policy wants (policy.go, again.go). What other commands ask of
// a shim, to pause the container for one, is in ask.go, and what is asked of
// the container now and then, whether it works, in health.go and probe.go.
//
// # What we leave out
//
// Processes that other commands start in the container (exec) are those
// commands' children, not the shim's.
//
// Chapter: the engine (containerd-shim), containers. Man pages: prctl(2)
// PR_SET_PDEATHSIG, wait4(2), pipe(7), unix(7), signal(7).
package shim
