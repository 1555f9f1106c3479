// Package oci runs bundles for other engines: the life cycle of the OCI runtime
// specification (create, start, state, kill, delete) over the same plans that
// minictr itself runs.
//
// # The problem
//
// An engine that wants to swap runtimes needs one narrow contract. The OCI's is
// a directory (the bundle), five operations and a state.
//
// # What we do
//
// Create runs the bundle's plan up to the gate before execve and leaves the
// container's process waiting there, on an eventfd; the runtime itself ends.
// Start copies that eventfd out of the process (pidfd_getfd) and raises it. The
// program is looked for before the gate, so that a container that cannot run
// fails in create.
//
// What is kept between the commands is a directory a container: copies of the
// bundle's files, state.json, and a journal of what has to be undone. Whether a
// container runs is asked of the kernel, by its process's pid and start time.
//
// Hooks that belong to create are steps of the plan; those of start and delete
// are run here. A hook in the container is an exec.
//
// Errors have runc's words where engines look for them.
//
// # What we leave out
//
// Checkpoints and Intel RDT. A configuration that wants one of these is refused.
//
// Book: chapter 5. Spec: opencontainers/runtime-spec, runtime.md.
package oci
