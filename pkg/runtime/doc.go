// Package runtime makes plans: from an OCI configuration to the ordered list of
// steps that makes the container, and from a process description to the list
// that starts a second process in a running one.
//
// # The problem
//
// Each kernel feature is simple and has a package of its own below this one.
// What is hard about a runtime is their order: which call needs a right that
// another gives up, which path means something else after the pivot, what has
// to wait for the other side. This is the only place where the features meet,
// so this is where the order is written down: read [Plan] from top to bottom.
//
// # What the specification offers
//
// The OCI runtime specification describes a container as a bundle, a directory
// with config.json and a root file system. Any engine can hand a bundle to any
// runtime; that is how runtimes can be swapped.
//
// # What we do
//
// [Load] reads a bundle, [Plan] turns it into steps without touching the
// kernel, a step.Runner runs them. A plan is a pure function of the bundle: to
// undo a container after a crash, its plan is simply made again.
//
// Book: chapter 5 (the engine's parts, runc). Spec: opencontainers/runtime-spec,
// config.md, config-linux.md, runtime.md.
package runtime
