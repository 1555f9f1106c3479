// Package bundle turns a wish (package config) and an image into what a
// runtime understands: an OCI runtime configuration.
//
// # The problem
//
// The runtime specification leaves nothing to guess: each mount, namespace,
// capability and masked path is listed. A user says `run alpine`. What lies
// between is docker's taste, and programs in images rely on it: which file
// systems are there, what is hidden, what PATH is, who the user is.
//
// # What we do
//
// Spec is a pure function: wish, image, and the facts it needs about host and
// image (Input) give one configuration, the same everywhere and every time. The
// pieces are in files of their own: process.go (arguments, environment),
// identity.go (users and groups), mounts.go, security.go (capabilities, masks,
// devices), resources.go (limits), files.go (hosts, resolv.conf).
//
// # What is left out
//
// SELinux labels, devices of GPUs.
//
// See chapter "The Docker Engine" (runc and the OCI) of the book; the OCI
// runtime specification, config.md and config-linux.md.
package bundle
