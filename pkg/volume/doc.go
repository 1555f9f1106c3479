// Package volume keeps directories that outlive the containers that use them.
//
// # The problem
//
// What a container writes into its root goes with the container. Data that
// must stay, or that two containers share, needs a place of its own, with a
// name, that any of them can mount.
//
// # What the kernel offers
//
// A bind mount: any directory can appear at a second place, also in another
// mount namespace. So a volume is nothing but a directory.
//
// # What we do
//
//	volumes/<name>/_data         what containers see
//	volumes/<name>/volume.json   when it was made, its labels, whether it has a name of its own
//
// A volume is made under a hidden name and renamed, so it is there whole or
// not at all. Who uses one holds it (a shared flock on its directory) until the
// container's record says so; Remove wants the lock for itself and then asks
// the records. A new volume begins with what the image has at that place: the
// content is copied to a directory beside _data, which gets another name when it
// is complete, and its entries are then moved into _data. So an interrupted copy
// is never taken for data, and a container that has _data mounted keeps it.
//
// A volume may have options, as docker's local driver takes them (type, device,
// o): then it stands for a directory of the host, or for a file system that
// each container mounts for itself, inside. The kernel keeps one superblock for
// all mounts of one disk or NFS export, so they show the same files. A tmpfs is
// a new one each time, so one container at a time can have it.
//
// # What is left out
//
// Drivers other than local, quotas.
//
// See chapter "Volumes and persistent data" of the book; flock(2), rename(2),
// mount(2) (MS_BIND).
package volume
