// Command minictr-registry speaks to registries. The minictr command starts it;
// nobody types it.
//
//	minictr-registry pull ROOT NAME PLATFORM
//	minictr-registry decompress
//
// The first fetches the image NAME for PLATFORM (empty: this machine's) into the
// store below ROOT, and prints how that gets on, a line of JSON for each step:
// see package transfer. The second is a filter, for archives that minictr loads
// and that are compressed with what it has no code for.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"minictr/pkg/image"
	"minictr/pkg/image/layer"
	_ "minictr/pkg/image/layer/codec" // for what is pulled
	"minictr/pkg/image/registry"
	"minictr/pkg/image/transfer"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "decompress" {
		if err := decompress(os.Stdout, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(transfer.Serve(os.Args[1:], os.Stdout, os.Stderr, pull))
}

func decompress(to io.Writer, from io.Reader) error {
	r, _, err := layer.Decompress(context.Background(), from)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, r)
	return errors.Join(err, r.Close())
}

func pull(ctx context.Context, s *image.Store, name image.Name, o transfer.Options) (*image.Image, error) {
	return registry.Pull(ctx, s, name, registry.Options{Options: o})
}
