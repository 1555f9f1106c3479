// Package ocispec holds the documents of the OCI image specification, v1.1, as
// Go types.
//
// # The problem
//
// The specification's authors publish such types, in
// github.com/opencontainers/image-spec. Theirs name content with go-digest,
// which compiles regular expressions when a program starts. A library that
// offers mere types cost every minictr command a fifth of a millisecond.
//
// # What we do
//
// The same types, field for field, with our own package digest: what the JSON
// looks like is the specification's, not ours. A test compares each of them
// with the library's, so a newer library with a new field is noticed.
//
// # What is left out
//
// Names that minictr does not use: most annotations, the media types of layers
// that must not be distributed, and of empty content.
//
// See chapter "Images" of the book; the OCI image specification
// (https://github.com/opencontainers/image-spec, v1.1): descriptor.md,
// image-index.md, manifest.md, config.md, image-layout.md.
package ocispec
