// Package engine is containers as a docker user knows them: created from an
// image, started, seen, entered, stopped and removed, by name.
//
// # The problem
//
// A runtime starts a bundle and knows nothing else. Where the bundle comes
// from, what it is called, which address it has, what becomes of its output
// and of what it wrote, and whether its name is free: somebody has to know.
// Docker has a daemon for that. Here any number of short-lived minictr
// processes share the work, and each may be killed at any moment.
//
// # What we do
//
// Engine joins the packages that know one thing each: image (what it is made
// of), volume (what stays), network (where it is reached), record (what there
// is), runtime (how it is made), shim (who looks after it while it runs).
// Nothing is kept in memory between two commands; the truth is in files, and a
// container's lock says whether anybody looks after it.
//
//	Create   image + wish → a record; nothing runs, nothing is mounted
//	Start    record → OCI bundle, address, shim
//	Exec     one more process in a running container, child of the caller
//	Stop, Kill, Remove, Wait, Logs, List, Inspect
//	Restart, Pause, Update   of what runs; its shim has to know, or does it
//	Select   those that filters let pass; Usage, Top: what one uses and runs
//	CopyTo, CopyFrom, Changes, Export, Commit: its files
//	Prune…   what nobody needs goes; DiskUsage: what that would give
//	Events   what is told of all this, in a file that can be followed
//	Settle   clears up behind shims that were killed; every command begins so
//
// What a container is asked to be is package config's; what that means in the
// words of the OCI is package bundle's.
//
// # What is left out
//
// A daemon's events of its own: what is told of a container stands in a file
// that everybody appends to (package record). Copying into a running container
// that has users of its own.
//
// See chapters "The Docker Engine" and "Containers" of the book.
package engine
