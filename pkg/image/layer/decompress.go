package layer

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Compression is how a layer's tar is wrapped.
type Compression string

const (
	Plain Compression = "tar"
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
	Bzip2 Compression = "bzip2" // only for import: no image may hold it
	Xz    Compression = "xz"    // only for import: no image may hold it
)

// How each one starts. Content is trusted over media types: registries hold
// plenty of layers whose type says gzip and whose bytes do not.
var magics = []struct {
	kind  Compression
	start []byte
}{
	{Gzip, []byte{0x1f, 0x8b}},
	{Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd}},
	{Bzip2, []byte("BZh")},
	{Xz, []byte{0xfd, '7', 'z', 'X', 'Z', 0}},
}

// zstdWindow bounds the memory that a zstd frame can ask its reader to keep.
const zstdWindow = 128 << 20

// Decompress looks at the first bytes of r and undoes the compression it finds
// there. Closing the result does not close r.
func Decompress(ctx context.Context, r io.Reader) (io.ReadCloser, Compression, error) {
	br := bufio.NewReaderSize(r, 128<<10)
	kind := Sniff(br)
	rc, err := open(ctx, br, kind)
	if err != nil {
		return nil, kind, fmt.Errorf("decompress %s: %w", kind, err)
	}
	return rc, kind, nil
}

// Sniff tells the compression from the next bytes of r, and leaves them there.
func Sniff(r *bufio.Reader) Compression {
	for _, m := range magics {
		if start, _ := r.Peek(len(m.start)); bytes.Equal(start, m.start) {
			return m.kind
		}
	}
	return Plain
}

func open(ctx context.Context, r io.Reader, kind Compression) (io.ReadCloser, error) {
	switch kind {
	case Gzip:
		return gzip.NewReader(r)
	case Zstd:
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(r)), nil
	case Xz:
		return openXz(ctx, r)
	default:
		return io.NopCloser(r), nil
	}
}

// openXz leaves xz to the xz program: only imported tarballs use it, and a
// library for it would cost start-up time in every run of every command.
func openXz(ctx context.Context, r io.Reader) (io.ReadCloser, error) {
	if _, err := exec.LookPath("xz"); err != nil {
		return nil, errors.New("the xz program is not installed (install xz-utils, or decompress the file first)")
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", "--quiet")
	cmd.Stdin = r
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, err
	}
	return &xzReader{out: out, cmd: cmd, complaint: &complaint, cancel: cancel}, nil
}

// xzReader reports the program's exit as the end of the stream, so that a
// corrupt archive is an error and not a short one.
type xzReader struct {
	out       io.Reader
	cmd       *exec.Cmd
	complaint *bytes.Buffer
	cancel    context.CancelFunc
	ended     error
}

func (x *xzReader) Read(p []byte) (int, error) {
	if x.ended != nil {
		return 0, x.ended
	}
	n, err := x.out.Read(p)
	if err == nil {
		return n, nil
	}
	x.ended = err
	if waited := x.cmd.Wait(); errors.Is(err, io.EOF) && waited != nil {
		x.ended = fmt.Errorf("xz: %w: %s", waited, bytes.TrimSpace(x.complaint.Bytes()))
	}
	return n, x.ended
}

// Close ends the program when the stream was not read to its end.
func (x *xzReader) Close() error {
	x.cancel()
	if x.ended == nil {
		x.ended = io.ErrClosedPipe
		_ = x.cmd.Wait() // killed by cancel: the error says only that
	}
	return nil
}
