package layer

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// Decoder undoes a compression. Closing what it returns does not close r.
type Decoder func(ctx context.Context, r io.Reader) (io.ReadCloser, error)

// decoders are what every program has. A decoder of zstd, and a faster one of
// gzip, are in package layer/codec, for programs that can afford a library's
// start-up time; others can have one of those do it: see Through.
var decoders = map[Compression]Decoder{
	Plain: func(_ context.Context, r io.Reader) (io.ReadCloser, error) { return io.NopCloser(r), nil },
	Gzip:  func(_ context.Context, r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) },
	Bzip2: func(_ context.Context, r io.Reader) (io.ReadCloser, error) {
		return io.NopCloser(bzip2.NewReader(r)), nil
	},
	Xz: Through(findXz, "--decompress", "--stdout", "--quiet"),
}

// Register sets the decoder of a compression, for the whole program. It is for
// init functions.
func Register(kind Compression, d Decoder) { decoders[kind] = d }

// findXz finds the xz program: only imported tarballs use it, and a library for
// it would cost start-up time in every run of every command.
func findXz() (string, error) {
	path, err := exec.LookPath("xz")
	if err != nil {
		return "", errors.New("the xz program is not installed (install xz-utils, or decompress the file first)")
	}
	return path, nil
}

// Through is the decoder that another program is: it is found by find when it is
// needed, reads its standard input and writes its standard output.
func Through(find func() (string, error), args ...string) Decoder {
	return func(ctx context.Context, r io.Reader) (io.ReadCloser, error) {
		path, err := find()
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(ctx)
		f := &filter{cmd: exec.CommandContext(ctx, path, args...), cancel: cancel}
		f.cmd.Stdin, f.cmd.Stderr = r, &f.complaint
		if f.out, err = f.cmd.StdoutPipe(); err == nil {
			err = f.cmd.Start()
		}
		if err != nil {
			cancel()
			return nil, err
		}
		return f, nil
	}
}

// filter is a program that decompresses. Its exit is reported as the end of the
// stream, so that a corrupt archive is an error and not a short one.
type filter struct {
	cmd       *exec.Cmd
	out       io.Reader
	complaint bytes.Buffer
	cancel    context.CancelFunc
	ended     error
}

func (f *filter) Read(p []byte) (int, error) {
	if f.ended != nil {
		return 0, f.ended
	}
	n, err := f.out.Read(p)
	if err == nil {
		return n, nil
	}
	f.ended = err
	if waited := f.cmd.Wait(); err == io.EOF && waited != nil {
		f.ended = fmt.Errorf("%s: %w: %s", f.cmd.Args[0], waited, bytes.TrimSpace(f.complaint.Bytes()))
	}
	return n, f.ended
}

// Close ends the program when the stream was not read to its end.
func (f *filter) Close() error {
	f.cancel()
	if f.ended == nil {
		f.ended = io.ErrClosedPipe
		_ = f.cmd.Wait() // killed by cancel: the error says only that
	}
	return nil
}
