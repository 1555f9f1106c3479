// Package codec gives a program that imports it decoders of zstd, and of gzip at
// twice the standard library's speed.
//
// They are not in package layer because of what the library does when a program
// starts: it asks the processor what it can do, which a virtual machine has to
// ask its host for, and computes tables. That took minictr a third of a
// millisecond, in every command.
package codec

import (
	"context"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"minictr/pkg/image/layer"
)

// zstdWindow bounds the memory that a zstd frame can ask its reader to keep.
const zstdWindow = 128 << 20

func init() {
	layer.Register(layer.Gzip, func(_ context.Context, r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) })
	layer.Register(layer.Zstd, func(_ context.Context, r io.Reader) (io.ReadCloser, error) {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	})
}
