package layer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"

	"minictr/pkg/image/digest"
)

// Result is what Extract learned about a layer.
type Result struct {
	Digest      digest.Digest // of the bytes read: the distribution digest
	DiffID      digest.Digest // of the tar inside: the content digest
	Size        int64         // bytes read
	TarSize     int64         // bytes of the tar inside
	Compression Compression
	Usage       Usage // zero when nothing was unpacked
}

// Promise is what somebody said the digests would be; empty ones say nothing.
type Promise struct {
	Digest digest.Digest
	DiffID digest.Digest
}

// Extract reads a layer to its end, in one pass: it hashes what travels,
// decompresses, hashes the tar inside and unpacks it under dir. With an empty
// dir it only hashes. If the layer is not what was promised the error is an
// ErrDigest. After any error the caller throws dir away.
func Extract(ctx context.Context, blob io.Reader, dir string, promise Promise, limits Limits) (Result, error) {
	outer := newHasher(blob)
	res, err := extract(ctx, outer, dir, limits)
	if err != nil {
		return res, blame(ctx, outer, promise, err)
	}
	res.Digest, res.Size = outer.digest(), outer.n
	if err := Verify("layer", promise.Digest, res.Digest); err != nil {
		return res, err
	}
	return res, Verify("content of layer "+string(res.Digest), promise.DiffID, res.DiffID)
}

func extract(ctx context.Context, outer *hasher, dir string, limits Limits) (Result, error) {
	tarStream, kind, err := Decompress(ctx, outer)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = tarStream.Close() }()
	inner := newHasher(tarStream)
	res := Result{Compression: kind}
	rest := int64(math.MaxInt64)
	if dir != "" {
		if res.Usage, err = Unpack(ctx, inner, dir, limits); err != nil {
			return res, err
		}
		rest = maxPadding
	}
	// What follows the end mark is part of both digests.
	if err := drain(ctx, inner, rest); err != nil {
		return res, fmt.Errorf("read the rest of the tar: %w", err)
	}
	if err := drain(ctx, outer, maxPadding); err != nil {
		return res, fmt.Errorf("read the rest of the layer: %w", err)
	}
	res.DiffID, res.TarSize = inner.digest(), inner.n
	return res, nil
}

// blame finds out whether a layer that could not be unpacked was the promised
// one. A corrupt layer usually trips the decompressor long before its digest
// is known, and it matters which of the two is at fault.
func blame(ctx context.Context, outer *hasher, promise Promise, cause error) error {
	if promise.Digest == "" || outer.failed || drain(ctx, outer, math.MaxInt64) != nil {
		return cause
	}
	if got := outer.digest(); got != promise.Digest {
		return &DigestError{What: "layer", Want: promise.Digest, Got: got, Cause: cause}
	}
	return cause
}

// maxPadding bounds what may follow a tar's end mark, or the compressed
// stream. Writers pad to a few kilobytes; a megabyte of gzip can say a gigabyte
// of zeros.
const maxPadding = 64 << 20

func drain(ctx context.Context, r io.Reader, limit int64) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if limit -= int64(n); limit < 0 {
			return fmt.Errorf("%w: padded with more than %d bytes", ErrTooBig, maxPadding)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// hasher passes a stream through and keeps its SHA-256 and length.
type hasher struct {
	r      io.Reader
	h      hash.Hash
	n      int64
	failed bool // the stream itself broke, whatever it held
}

func newHasher(r io.Reader) *hasher { return &hasher{r: r, h: sha256.New()} }

func (h *hasher) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.h.Write(p[:n]) // a hash never fails
	h.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		h.failed = true
	}
	return n, err
}

func (h *hasher) digest() digest.Digest {
	return digest.NewDigest(digest.SHA256, h.h)
}
