// Package digest names content by its hash: sha256:9f86d081…
//
// # The problem
//
// Every piece of an image is named by the SHA-256 of its bytes, so such names
// are wherever images are, which is in most of minictr. The library of the
// specifications' authors, github.com/opencontainers/go-digest, compiles
// regular expressions to check them, and does so when a program starts: a
// fifth of a millisecond and 92 KB for every command, most of which check no
// digest at all.
//
// # What we do
//
// Digest is a string, as in the library, with the functions that minictr uses.
// Validate counts and compares characters. Nothing is done at the start of a
// program. A test holds the package against the library.
//
// # What is left out
//
// Algorithms other than SHA-256. The specification lets an implementation
// refuse them, and an image store that has two names for the same bytes would
// have to look for both.
//
// See chapter "Images" of the book; the OCI image specification, descriptor.md,
// section Digests.
package digest
