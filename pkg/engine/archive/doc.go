// Package archive turns trees of files into tar streams and back, for the
// commands that carry files across a container's border: cp, export, commit.
//
// # The problem
//
// A container's files are written by programs nobody trusts, also while they
// are being copied. A path is a question to the file system, and the program
// inside can change the answer between two questions: what was a directory is
// a symbolic link to /etc when the engine comes back (CVE-2018-15664). A check
// before the use does not help, whatever it checks.
//
// # What the kernel offers
//
// openat2(2) with RESOLVE_IN_ROOT resolves a whole path as if a directory were
// the root, in one system call that nobody can get in between; with
// RESOLVE_NO_MAGICLINKS it does not follow the links of /proc either, which
// lead anywhere. The descriptor it returns means that file for good.
//
// # What we do
//
// Every name is resolved once, inside, and all that follows happens to the
// descriptor: Writer reads trees by descriptors, directory by directory, and
// never follows a link; Extract opens each entry's parent inside the root and
// makes the entry there by a single name, which is never followed.
//
// # What is left out
//
// Sockets are not copied: a tar has no type for them.
//
// See chapters "Containers" and "Security" of the book, openat2(2), tar(5).
package archive
