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
// Start copies that eventfd out of the process (pidfd_getfd) and raises it. All
// that is kept between the commands is one file a container, state.json in the
// runtime's root directory, and a journal of what has to be undone.
//
// # What we leave out
//
// Hooks, console sockets, checkpoints, and everything else that
// ARCHITECTURE.md lists as missing: a configuration that needs them is refused.
//
// Book: chapter 5. Spec: opencontainers/runtime-spec, runtime.md.
package oci
