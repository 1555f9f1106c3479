package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"minictr/pkg/image"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/image/transfer"
)

// stallTimeout is how long a layer may send nothing before we ask again.
const stallTimeout = 30 * time.Second

// blob reads a layer to its promised size, over as many connections as it
// takes. Whoever reads sees one stream.
type blob struct {
	c      *client
	ctx    context.Context
	desc   ocispec.Descriptor
	report func(transfer.State, int64)

	off    int64
	body   io.ReadCloser
	cancel context.CancelFunc // ends the request behind body
	stall  *time.Timer
	failed int // attempts since the last byte
}

func (c *client) blob(ctx context.Context, desc ocispec.Descriptor, report func(transfer.State, int64)) (io.ReadCloser, error) {
	b := &blob{c: c, ctx: ctx, desc: desc, report: report}
	// The first request is made here, so that a missing layer is an error
	// before any work.
	if err := b.again(b.open); err != nil {
		return nil, fmt.Errorf("get layer %s: %w", desc.Digest, err)
	}
	return b, nil
}

func (b *blob) Read(p []byte) (n int, err error) {
	if b.off == b.desc.Size {
		return 0, b.end()
	}
	err = b.again(func() error {
		if b.body == nil {
			if err := b.open(); err != nil {
				return err
			}
		}
		n, err = b.some(p)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("get layer %s: %w", b.desc.Digest, err)
	}
	b.report(transfer.Downloading, b.off)
	return n, nil
}

// end makes sure that the layer ends where the manifest said.
func (b *blob) end() error {
	if b.body == nil {
		return io.EOF
	}
	var more [1]byte
	if n, _ := b.body.Read(more[:]); n > 0 { // an error now takes nothing from what we have
		return fmt.Errorf("get layer %s: %w: it goes on after the promised %d bytes", b.desc.Digest, image.ErrDigest, b.desc.Size)
	}
	return io.EOF
}

// again is retry.do with a count that progress resets: a large layer over a
// poor line may break any number of times.
func (b *blob) again(try func() error) error {
	for {
		err := try()
		if err == nil {
			b.failed = 0
			return nil
		}
		b.hangUp()
		b.failed++
		if !passing(err) || b.failed >= b.c.retry.limit() || b.ctx.Err() != nil {
			return err
		}
		b.report(transfer.Retrying, b.off)
		if werr := b.c.retry.wait(b.ctx, b.failed); werr != nil {
			return errors.Join(err, werr)
		}
	}
}

// some reads what is there. A result with bytes has no error: whatever ended
// the connection is met again by the next read.
func (b *blob) some(p []byte) (int, error) {
	if left := b.desc.Size - b.off; int64(len(p)) > left {
		p = p[:left]
	}
	b.stall.Reset(stallTimeout)
	n, err := b.body.Read(p)
	b.stall.Stop()
	b.off += int64(n)
	if n > 0 || err == nil {
		return n, nil
	}
	if b.ctx.Err() == nil && errors.Is(err, context.Canceled) {
		err = fmt.Errorf("nothing came for %v", stallTimeout)
	}
	return 0, fmt.Errorf("%w after %d of %d bytes: %w", errBroken, b.off, b.desc.Size, err)
}

// open asks for the layer from where we are.
func (b *blob) open() error {
	ctx, cancel := context.WithCancel(b.ctx)
	header := http.Header{}
	if b.off > 0 {
		header.Set("Range", "bytes="+strconv.FormatInt(b.off, 10)+"-")
	}
	resp, err := b.c.get(ctx, "blobs", b.desc.Digest.String(), header)
	if err != nil {
		cancel()
		return err
	}
	b.body, b.cancel = resp.Body, cancel
	b.stall = time.AfterFunc(stallTimeout, cancel)
	b.stall.Stop()
	skip := b.off
	if resp.StatusCode == http.StatusPartialContent {
		skip = 0
	}
	if size := resp.ContentLength; size >= 0 && size+b.off-skip != b.desc.Size {
		return fmt.Errorf("%w: the manifest promises %d bytes, the registry has %d", image.ErrDigest, b.desc.Size, size+b.off-skip)
	}
	// A server that ignores Range sends everything again.
	if _, err := io.CopyN(io.Discard, b.body, skip); err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return nil
}

func (b *blob) hangUp() {
	if b.body != nil {
		b.stall.Stop()
		b.cancel()
		_ = b.body.Close() // the answer is of no more use
		b.body = nil
	}
}

// Close ends the request, finished or not.
func (b *blob) Close() error {
	b.hangUp()
	return nil
}
