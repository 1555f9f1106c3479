// Package image keeps images: their names, their documents, their layers.
//
// # The problem
//
// A container needs a root file system and a few words about how to start it.
// An image is both, packed so that it can be shared: by machines (it travels
// through registries) and by containers (they all use the same files, read
// only). Nobody wants to copy a few hundred megabytes for each container, nor
// to fetch the same base again for each image, nor to find out at run time
// that something on the way changed a byte.
//
// # What the specifications offer
//
// Every piece of an image is a blob named by the SHA-256 of its content, and
// pieces name each other:
//
//	index ──► manifest ──► config   what to run; the diff ID of each layer
//	(one per platform)  └► layers   compressed tars, bottom first
//
// Change one byte and its name changes, and the name in the piece above, up to
// the top: a digest pins everything below it. Only the names people use, like
// alpine:3.20, can be moved from one image to another. The OCI image layout
// says how such blobs lie in a directory, with index.json as the way in.
//
// A layer has three names, and mixing them up is the classic confusion:
//
//   - its distribution digest is of the compressed bytes that registries hold;
//   - its content digest (diff ID) is of the tar inside, and does not change
//     when somebody compresses it again;
//   - its directory is where it is unpacked here, for overlayfs.
//
// An image's ID is the digest of its config. The config lists diff IDs, so the
// ID says what is in the image, however it travelled.
//
// # What we do
//
// Store is an OCI image layout plus one directory for each unpacked layer,
// shared by every image and container that has it: LowerDirs goes straight into
// overlayfs's lowerdir option. Images come in by Import (a root file system's
// tarball), Load (an archive of `docker save` and others) or through package
// registry (pull, in a program of its own). All three are an Ingest: layers are verified, stored and
// unpacked in one pass, and the image appears when everything is on disk.
//
// There is no daemon and no database, so processes agree through the file
// system: index.json is replaced under a flock; a layer being unpacked is a
// directory `….partial` that is flocked by its owner and renamed when whole;
// what an unfinished ingest counts on is leased by a shared flock. The kernel
// releases all of these when a process dies. What a dead one left half done is
// swept by the next; layers that it had finished stay until the next
// collection (a Remove, or an ingest that fails), and a second try uses them.
//
// Digests are checked when something enters the store and not again: Get is
// part of every `minictr run`.
//
// # What is left out
//
// Pushing and building (other packages'), image signatures, digests other than
// SHA-256, and the multi-platform index itself: one platform of it is kept, and
// the index's digest, by which registries know the image.
//
// See chapter "Images" of the book (the course's "Working with images"), and
// "Installing Docker" for storage drivers; the OCI image specification
// (manifest.md, config.md, image-layout.md); man pages flock(2), rename(2).
package image
