// Command minictr-registry speaks to registries. The minictr command starts it;
// nobody types it.
//
//	minictr-registry pull ROOT NAME PLATFORM
//
// It fetches the image NAME for PLATFORM (empty: this machine's) into the store
// below ROOT, and prints how that gets on, a line of JSON for each step: see
// package transfer.
package main

import (
	"context"
	"os"

	"minictr/pkg/image"
	"minictr/pkg/image/registry"
	"minictr/pkg/image/transfer"
)

func main() { os.Exit(transfer.Serve(os.Args[1:], os.Stdout, os.Stderr, pull)) }

func pull(ctx context.Context, s *image.Store, name image.Name, o transfer.Options) (*image.Image, error) {
	return registry.Pull(ctx, s, name, registry.Options{Platform: o.Platform, Progress: o.Progress})
}
