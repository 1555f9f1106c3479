package image

import (
	"errors"

	"minictr/pkg/image/layer"
)

// What callers decide by. Everything else is for people to read.
var (
	// ErrNotFound: no such image here, or in the registry that was asked.
	ErrNotFound = errors.New("no such image")
	// ErrAmbiguous: an ID prefix that several images share.
	ErrAmbiguous = errors.New("image ID prefix is ambiguous")
	// ErrInUse: a container, or another name, still needs the image.
	ErrInUse = errors.New("image is in use")
	// ErrDigest: content is not what its digest promised.
	ErrDigest = layer.ErrDigest
	// ErrPlatform: the image exists, but not for this platform.
	ErrPlatform = errors.New("no image for this platform")
	// ErrUnreachable: nobody answered for the registry at all (no name, no
	// route, connection refused, no answer in time). A registry that answers,
	// however badly, is not unreachable.
	ErrUnreachable = errors.New("registry cannot be reached")
	// ErrUnauthorized: the registry wants other credentials, or refuses these.
	ErrUnauthorized = errors.New("registry refuses access")
)

// DigestError says which content is wrong. It is an ErrDigest.
type DigestError = layer.DigestError
