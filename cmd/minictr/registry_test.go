package main

import (
	"bytes"
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	blank "github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/rogpeppe/go-internal/testscript"

	"minictr/pkg/image"
	"minictr/rootfs"
)

// serve NAME: a registry that has the built-in image as base:1, at the address
// that is put into the variable NAME, until the script ends.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	ts.Defer(server.Close)
	address := strings.Replace(strings.TrimPrefix(server.URL, "http://"), "127.0.0.1", "localhost", 1)
	ref, err := name.ParseReference(address + "/base:1")
	ts.Check(err)
	img, err := baseImage()
	ts.Check(err)
	ts.Check(remote.Write(ref, img))
	ts.Setenv(args[0], address)
}

func baseImage() (v1.Image, error) {
	gz, err := rootfs.Tarball()
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(gz)), nil })
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(blank.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	host := image.HostPlatform()
	config.OS, config.Architecture = host.OS, host.Architecture
	config.Config.Cmd = []string{"echo", "pulled and run"}
	return mutate.ConfigFile(img, config)
}
