// Package layer turns a layer, a compressed tar stream, into a directory that
// overlayfs can use as a lowerdir.
//
// # The problem
//
// An image is a stack of layers. Each layer travels as a tar archive of what
// changed against the layer below: files that are new or different, and marks
// for files that are gone. A tar archive has no way to say "gone", so the
// image specification hides the mark in a name: an entry `.wh.motd` means that
// `motd` of a lower layer is deleted, and `.wh..wh..opq` means that nothing of
// the lower directory shows through. Overlayfs means the same two things but
// writes them differently: a character device with number 0/0, and the
// extended attribute trusted.overlay.opaque=y on the directory. Unpacking is
// mostly that translation, plus owners, modes, times, links and attributes put
// back exactly.
//
// # Why unpacking is dangerous
//
// A layer comes from a stranger and is unpacked by root. Its names can say
// `../../etc/cron.d/x` or `/etc/shadow`; it can hold a symbolic link to / and
// then a file "inside" that link; it can hard-link a file of the host into
// itself and change it there. Checking names against what is on disk has gone
// wrong in nearly every engine at least once. So the check is left to the
// kernel: every parent directory is opened with openat2(2) and
// RESOLVE_IN_ROOT, which treats the layer's directory as / for absolute names,
// for `..` and for every symbolic link met on the way; everything else is done
// relative to that descriptor with a last name that has no slash and is never
// followed. There is no path left that could lead out.
//
// Names that climb with `..` above the top are refused with ErrEscape rather
// than folded back in: no honest archive has them. Absolute names are read
// relative to the layer, as docker does. A hard link must point to a file of
// the same layer.
//
// A small archive can also unpack to more than the disk holds. Limits has
// bounds for bytes and entries; zero means nine tenths of what is free when
// unpacking starts.
//
// # One pass
//
// A layer has two digests: of the bytes that travel (the distribution digest,
// in the manifest) and of the tar inside (the diff ID, in the image's config).
// Extract computes both while it unpacks, so a layer is read once, while it
// downloads, and never held in memory.
//
// # What is left out
//
// A directory that a layer implies but does not list is made as 0755
// root:root, as docker's overlay2 driver does: the layer is unpacked by
// itself, to be shared by every image that has it, so there is no lower layer
// to copy the attributes from. Sparse files are written out in full. Layers
// are unpacked by root; rootless (user.overlay.*) is not done.
//
// See chapter "Images" and "Installing Docker" (storage drivers) of the book;
// man pages openat2(2), xattr(7), capabilities(7), mknod(2); the layer
// section of the OCI image specification; overlayfs.rst of the kernel.
package layer
