// Package registry pulls images from registries into an image.Store.
//
// # The problem
//
// A registry is a web server with three kinds of things, each fetched by one
// GET (the OCI distribution specification):
//
//	/v2/                              are you a registry, and who may come in?
//	/v2/<repository>/manifests/<ref>  a tag's or digest's manifest, or an index of them
//	/v2/<repository>/blobs/<digest>   a config or a layer
//
// A tag leads to a manifest that anybody with push rights can change; from the
// manifest on everything is named by the SHA-256 of its content, so nobody on
// the way can change anything unnoticed. A tag of a multi-platform image leads
// to an index first, from which the client picks its platform.
//
// # What we do
//
// Login (the challenge of /v2/, tokens, docker's credential files and helpers)
// is go-containerregistry's; the three GETs are ours, because a layer goes
// through one pipe from the socket to the disk: bytes are counted for the
// progress bar, hashed, stored, decompressed, hashed again and unpacked while
// they arrive. A connection that breaks or stalls in the middle of a layer is
// replaced by one that asks for the rest (HTTP Range), and the pipe does not
// notice. Layers come in parallel; one that is in the store, or that another
// process is just pulling, is not fetched again. The image becomes visible
// when it is complete, and a pull that fails leaves nothing behind.
//
// Plain HTTP is spoken to localhost and to registries listed as insecure, and
// to nobody else, not even after a redirect.
//
// # How it fails
//
// Callers decide by four errors of package image. ErrUnreachable means that
// nobody answered at all: no such host, connection refused, no answer in time.
// Only then may an engine use something else than what the user asked for. A
// registry that answers is believed: ErrNotFound, ErrUnauthorized, and
// ErrDigest for content that is not what was promised.
//
// # What is left out
//
// Pushing, searching, mirrors, signatures, and manifests of schema 1 (gone from
// Docker Hub since 2024).
//
// It is a package, and minictr-registry a program, of its own because of what
// it imports: who only uses local images needs no HTTP client. See package
// transfer.
//
// See chapter "Images" of the book (image registries, manifests, digests); the
// OCI distribution and image specifications.
package registry
