package layer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
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
	d := decoders[kind]
	if d == nil {
		return nil, errors.New("this program has no decoder for it")
	}
	return d(ctx, r)
}
