// Package rootfs carries minictr's built-in base image: a root file system of one static busybox and a skeleton of
// directories and small text files.
//
// The problem. A container needs a root file system to stand in, and a fresh machine has none; the first thing a
// trainee types must work even where no registry can be reached. So the minictr binary carries one inside it, about a
// megabyte, and `run alpine` falls back to it (and says so) when the network is the only thing that is missing.
//
// What an image is, seen from here. Nothing but a tarball: an executable that needs no libraries, the names it answers
// to as symlinks, and the few files that programs expect to exist. The kernel wants even less: one executable file.
// Everything else is convention, which makes the skeleton (see mkbase/skeleton.go) worth reading as a list: who am I
// (passwd, group), how do names resolve (hosts, nsswitch.conf), what is this system (os-release), and the empty
// directories that proc, sysfs, devtmpfs and tmpfs will be mounted on.
//
// What we do. `make` runs mkbase, which takes the host's busybox if it is static and of the right architecture, and
// otherwise fetches Debian's busybox-static without installing it. The tarball is deterministic: the same busybox
// gives the same bytes, hence the same digest, on every machine. It is embedded per architecture, so that a binary
// cross-compiled for arm64 carries an arm64 busybox.
//
// What we leave out. The image is not Alpine: there is no package manager and no libc, and /etc/os-release says so.
// Applets that only make sense for a machine that boots (init, reboot, modprobe, udhcpc, …) get no name. The built file
// is not committed, so a plain `go build` without make gives a working program whose Tarball returns ErrNotBuilt.
//
// Chapter: images ("Images" in the book). Man pages: busybox(1), hier(7), passwd(5), group(5), os-release(5), tar(5).
package rootfs
