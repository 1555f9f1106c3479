// Package secret keeps passwords and keys that containers need, apart from
// everything that others get to see of a container.
//
// # The problem
//
// A password in an image is in every copy of the image, for ever. One in an
// environment variable is in inspect, in crash reports, and in every child of
// the program. One in a file of the container is in its upper layer, and goes
// along with a commit or an export.
//
// # What the kernel offers
//
// tmpfs: a file system that is nowhere but in memory and vanishes with its last
// mount. And permissions: a directory that only root may enter.
//
// # What we do
//
//	secrets/<name>/secret.json   its ID, when it was made, its labels
//	secrets/<name>/data          the secret itself; mode 0600 in a directory 0700
//
// A container that has a secret gets a copy on a tmpfs of its own, at
// /run/secrets/<name>. The copy is made with sendfile(2), from descriptor to
// descriptor, so that the content is in no argument of a call that explain
// prints, in no file of the bundle, and in no layer (package rootfs, Secrets).
// A secret that a container has is not removed; it is held by a flock until
// the container's record says so, as a volume is.
//
// # What is left out
//
// Encryption at rest: whoever is root on this machine can read it, here as in
// the containers' memory. Swap may hold pages of a tmpfs. Rotation.
//
// See chapter "Security in Docker" of the book; tmpfs(5), sendfile(2).
package secret
