// Package record keeps what is known of each container in files that a student
// can read with cat: which containers there are, what they are called, and how
// each of them is doing.
//
// # The problem
//
// There is no daemon that remembers. Any number of minictr processes run at
// once, each may be killed at any moment, and the machine may lose power. Still
// a name must have one owner, a container must be there or not be there, and a
// container whose shim was killed must not pass for a running one.
//
// # What the kernel offers
//
// A few operations that are atomic: mkdir, symlink and link fail if the name is
// taken, rename replaces a file or moves a whole directory at once. And flock
// on a file, which the kernel releases when its holder is gone, however it went.
//
// # What we do
//
//	Root/containers/<id>/   the container: its OCI bundle and its records
//	     container.json     what it was made from; the engine's, opaque here
//	     state.json         how it is doing; written by whoever holds its lock
//	Root/names/<name>       a link to ../containers/<id>
//	Root/trash/<id>.<pid>   a removed container whose files are being deleted, by that process;
//	                        likewise what is not a volume or a secret yet, or not any more
//	Run/containers/<id>/    while its shim lives: the socket, the journal, and
//	     lock               the file that the shim has locked
//	Run/reserved/<id>       a container that is being made; locked by its maker
//
// Root survives a reboot, Run does not. A record is written to a new file and
// renamed over the old one. A container exists once its container.json does:
// [Reserve] prepares the directory and claims the name, [Reservation.Commit]
// makes it one. [Remove] moves the directory out of the way before it deletes.
//
// A container that claims to run and whose lock nobody holds is an orphan
// ([Orphans]): its shim was killed, or the machine restarted. A pid in a record
// comes with the start time of its process, so that another process with the
// same number is not taken for it.
//
// # What we leave out
//
// No fsync: after a power cut a container's last state may be missing, and
// then it counts as dead. Nothing is kept from containers that are removed.
//
// Chapter: containers (their life), the engine. Man pages: flock(2), rename(2),
// symlink(2), proc_pid_stat(5).
package record
