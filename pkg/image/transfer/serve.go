package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"minictr/pkg/image"
)

// Puller fetches an image: registry.Pull, with users' options.
type Puller func(context.Context, *image.Store, image.Name, Options) (*image.Image, error)

const usage = "usage: minictr-registry pull ROOT NAME PLATFORM, or decompress (minictr starts me)"

// Serve is the program's side: it does what the command line says, and prints
// how that gets on. It returns the exit code.
func Serve(args []string, out, errOut io.Writer, pull Puller) int {
	if len(args) != 4 || args[0] != "pull" {
		fmt.Fprintln(errOut, usage)
		return 2
	}
	lines := json.NewEncoder(out)
	img, err := serve(args[1], args[2], args[3], pull, func(e Event) { _ = lines.Encode(message{Event: &e}) })
	if err != nil {
		_ = lines.Encode(message{Error: err.Error(), Kind: kindOf(err)})
		return 1
	}
	if err := lines.Encode(message{Image: img.ID}); err != nil {
		return 1 // nobody hears it
	}
	return 0
}

func serve(root, ref, platform string, pull Puller, progress func(Event)) (*image.Image, error) {
	store, err := image.Open(root)
	if err != nil {
		return nil, err
	}
	name, err := image.ParseName(ref)
	if err != nil {
		return nil, err
	}
	o := Options{Progress: progress}
	if platform != "" {
		if o.Platform, err = image.ParsePlatform(platform); err != nil {
			return nil, err
		}
	}
	return pull(context.Background(), store, name, o)
}

func kindOf(err error) string {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.name
		}
	}
	return ""
}
