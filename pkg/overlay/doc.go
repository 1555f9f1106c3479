// Package overlay makes a container's root file system: many read-only layers
// below, one writable directory on top, joined by the kernel's overlay file
// system.
//
// # The problem
//
// A hundred containers of one image must not need a hundred copies of it, and
// none may see what another writes.
//
// # What the kernel offers
//
// overlayfs merges directories. lowerdir names the read-only ones, the topmost
// first; upperdir takes all writes; workdir is overlayfs's own scratch space
// on the same file system as upperdir. Reading a file finds the topmost layer
// that has it. Writing to a file of a lower layer first copies it up:
// copy-on-write, per file. Deleting one leaves a whiteout, a character device
// 0/0 of that name, in upperdir; a directory that hides all below it carries
// the attribute trusted.overlay.opaque.
//
// # What we do
//
// One step, [Mount], in the container's own mount namespace: one mount(2), or,
// where the list of layers outgrows the one page of options that mount takes,
// the newer fsopen, fsconfig, fsmount and move_mount, layer by layer. The
// mount is made by the process that lives in it, so nothing on the host ever
// has it mounted and nothing needs to be unmounted: when the last process of
// the container ends, the kernel drops the namespace and the mount with it.
//
// # What we leave out
//
// Other storage drivers. Layers are unpacked by package image.
//
// Book: chapter 3 (storage drivers) and chapter 6 (images and layers).
// Kernel: Documentation/filesystems/overlayfs.rst; mount(2), fsconfig(2).
package overlay
