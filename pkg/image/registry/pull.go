package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"minictr/pkg/image"
	"minictr/pkg/image/digest"
	"minictr/pkg/image/layer"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/image/transfer"
)

// parallel is how many layers come at once, docker's number.
const parallel = 3

// eventPause is the least time between two events that only move a bar.
const eventPause = 50 * time.Millisecond

// Options of a pull; the zero value works.
type Options struct {
	transfer.Options
	Insecure []string       // registries that may use plain HTTP: host, host:port or address range
	Keychain authn.Keychain // nil: docker's credential files and helpers

	retry retry
}

// Pull fetches what name refers to, for one platform, and gives it that name.
// A pull by digest names nothing; the image is found by its digest then.
func Pull(ctx context.Context, s *image.Store, name image.Name, opts Options) (*image.Image, error) {
	img, err := pull(ctx, s, name, opts)
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", name.Familiar(), err)
	}
	return img, nil
}

func pull(ctx context.Context, s *image.Store, name image.Name, opts Options) (*image.Image, error) {
	c, err := connect(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	defer c.close()
	doc, err := c.documents(ctx, name, opts.Platform)
	if err != nil {
		return nil, err
	}
	in, err := s.Begin()
	if err != nil {
		return nil, err
	}
	p := &puller{c: c, in: in, progress: opts.Progress}
	img, err := p.fill(ctx, name, doc)
	if cerr := in.Close(); err == nil {
		err = cerr
	}
	return img, err
}

// documents is everything about an image but its layers.
type documents struct {
	top         digest.Digest // what the repository knows it by: the index's or the manifest's
	manifest    ocispec.Manifest
	config      ocispec.Image
	rawManifest []byte
	rawConfig   []byte
}

// documents follows the chain: reference, index if there is one, manifest,
// config. Only the first link is a matter of trust.
func (c *client) documents(ctx context.Context, name image.Name, want ocispec.Platform) (*documents, error) {
	m, err := c.manifest(ctx, name.Reference(), name.Digest)
	if err != nil {
		return nil, err
	}
	doc := &documents{top: m.digest}
	if image.IsIndex(m.mediaType) {
		if m, err = c.fromIndex(ctx, m, want); err != nil {
			return nil, err
		}
	}
	doc.rawManifest = m.raw
	if err := json.Unmarshal(m.raw, &doc.manifest); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	dgst := doc.manifest.Config.Digest
	if err := dgst.Validate(); err != nil {
		return nil, fmt.Errorf("%s is not the manifest of a container image: config: %w", m.digest, err)
	}
	if doc.rawConfig, _, err = c.document(ctx, "config", "blobs", dgst.String(), dgst); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(doc.rawConfig, &doc.config); err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	if want.OS != "" { // somebody insists
		offer := []ocispec.Descriptor{{Platform: &doc.config.Platform}}
		if _, err := image.SelectPlatform(offer, want); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

func (c *client) fromIndex(ctx context.Context, m fetched, want ocispec.Platform) (fetched, error) {
	if want.OS == "" {
		want = image.HostPlatform()
	}
	var index ocispec.Index
	if err := json.Unmarshal(m.raw, &index); err != nil {
		return m, fmt.Errorf("read index: %w", err)
	}
	d, err := image.SelectPlatform(index.Manifests, want)
	if err != nil {
		return m, err
	}
	if err := d.Digest.Validate(); err != nil {
		return m, fmt.Errorf("read index: %w", err)
	}
	return c.manifest(ctx, d.Digest.String(), d.Digest)
}

type puller struct {
	c        *client
	in       *image.Ingest
	mu       sync.Mutex // around progress
	progress func(transfer.Event)
}

// fill brings the layers and makes the image.
func (p *puller) fill(ctx context.Context, name image.Name, doc *documents) (*image.Image, error) {
	promises, err := image.Promises(doc.manifest, doc.config)
	if err != nil {
		return nil, err
	}
	if err := p.layers(ctx, doc.manifest.Layers, promises); err != nil {
		return nil, err
	}
	var names []image.Name
	if name.Digest == "" {
		names = []image.Name{name}
	}
	known := name.Repository() + "@" + doc.top.String()
	if err := p.in.Add(doc.rawManifest, doc.rawConfig, names, []string{known}); err != nil {
		return nil, err
	}
	images, err := p.in.Commit()
	if err != nil {
		return nil, err
	}
	return images[0], nil
}

// layers brings all layers, a few at a time. The first error ends the others,
// and is the one returned.
func (p *puller) layers(ctx context.Context, descs []ocispec.Descriptor, promises []layer.Promise) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, d := range descs {
		p.report(transfer.Event{Layer: d.Digest, State: transfer.Pending, Total: d.Size})
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	started := map[layer.Promise]bool{} // an image may hold a layer twice
	for i, promise := range promises {
		if started[promise] {
			continue
		}
		started[promise] = true
		slots <- struct{}{} // here, so that they start in order
		wg.Go(func() {
			defer func() { <-slots }()
			if err := p.layer(ctx, descs[i], promise); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

func (p *puller) layer(ctx context.Context, d ocispec.Descriptor, promise layer.Promise) error {
	var last time.Time
	report := func(state transfer.State, current int64) {
		if state == transfer.Downloading && time.Since(last) < eventPause {
			return
		}
		last = time.Now()
		p.report(transfer.Event{Layer: d.Digest, State: state, Current: current, Total: d.Size})
	}
	got, err := p.in.Layer(ctx, image.LayerSource{
		Promise: promise,
		Open:    func(ctx context.Context) (io.ReadCloser, error) { return p.c.blob(ctx, d, report) },
		Waiting: func() { report(transfer.Waiting, 0) },
	})
	if err != nil {
		return err
	}
	if got.Existed {
		report(transfer.Exists, d.Size)
	} else {
		report(transfer.Done, d.Size)
	}
	return nil
}

func (p *puller) report(e transfer.Event) {
	if p.progress == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress(e)
}
