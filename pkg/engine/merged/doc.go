// Package merged reads a stack of overlay layers as one tree, without mounting
// it.
//
// # The problem
//
// Before a container exists the engine must look into its files: who is user
// "www" in its /etc/passwd, what does the image hold at /data that a new volume
// should begin with. Mounting the overlay just for that would put a mount on
// the host, which a crash could leave behind. And whoever wrote the image wants
// us to follow a link to the host's /etc/shadow.
//
// # What the kernel offers
//
// overlayfs merges by simple rules: the topmost layer that has a name decides;
// a character device 0/0 says the name is gone; directories merge, down to one
// with trusted.overlay.opaque=y. openat2(2) opens a path below a directory and
// refuses every symbolic link on the way (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS).
//
// # What we do
//
// View walks a path one name at a time, applying these rules. Symbolic links
// are followed by reading them and walking on inside the view, so an absolute
// one starts at the view's root again and ".." stops there. Every name is
// opened with openat2: if a running container exchanges a directory for a link
// under our hands, the open fails and nothing outside is ever touched.
//
// # What is left out
//
// Directories that were renamed on kernels with redirect_dir=on: the moved
// content is not found. Writing.
//
// See chapter "Images" of the book; overlayfs.rst, openat2(2), symlink(7).
package merged
