// Package stracecmp holds explain to the truth: it compares the calls that
// explain reported with the calls that strace(1) saw.
//
// The problem: explain prints what the engine's own recorder noted, and text
// that the engine's own code made from its own tables of flag names. Both could
// be wrong together. strace is a second witness that reads the same calls from
// the kernel's side, with tables of its own.
//
// What we do: [Argv] is how to call strace, [Parse] reads its log, [Compare]
// finds what one side says and the other does not. The calls of a cloned
// process before it becomes the container's program must be the reported ones,
// all of them, in their order. The engine's own process makes other calls too,
// so its reported ones must appear among them in order, and every call in it
// that makes a part of a container (a mount, a namespace, a cgroup, a link, a
// rule) must have been reported.
//
// What we leave out: the inside of netlink messages and of BPF programs, which
// the two print in different detail. There, every name, address and constant
// that explain shows must be in strace's text as well.
//
// Man page: strace(1).
package stracecmp
