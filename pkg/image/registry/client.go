package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	ggcr "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"minictr/pkg/image"
	"minictr/pkg/image/digest"
	"minictr/pkg/image/layer"
	"minictr/pkg/image/ocispec"
)

const (
	connectTimeout = 5 * time.Second  // name, connection; TLS gets as much again
	answerTimeout  = 30 * time.Second // until the headers of an answer
	maxDocument    = 8 << 20          // bytes of a manifest or config; registries take 4 MiB
)

// The manifests we can read, the wish list of every request for one.
var accepted = strings.Join([]string{
	ocispec.MediaTypeImageIndex,
	ocispec.MediaTypeImageManifest,
	"application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.docker.distribution.manifest.v2+json",
}, ", ")

// client speaks to one repository of one registry.
type client struct {
	http  *http.Client
	base  *http.Transport
	host  string
	path  string
	retry retry
}

// connect says hello, logs in if asked to, and returns a client.
func connect(ctx context.Context, name image.Name, opts Options) (*client, error) {
	var nameOpts []ggcr.Option
	insecure := plainOK(name.Domain, opts.Insecure)
	if insecure {
		nameOpts = append(nameOpts, ggcr.Insecure)
	}
	repo, err := ggcr.NewRepository(name.Repository(), nameOpts...)
	if err != nil {
		return nil, err
	}
	keychain := opts.Keychain
	if keychain == nil {
		keychain = authn.DefaultKeychain
	}
	auth, err := authn.Resolve(ctx, keychain, repo)
	if err != nil {
		return nil, fmt.Errorf("read credentials: %w", err)
	}
	base := newTransport(insecure)
	var contact reach
	contact.watch(base)
	rt, err := transport.NewWithContext(ctx, repo.Registry, auth,
		transport.NewUserAgent(guard{inner: base, insecure: opts.Insecure}, "minictr"),
		[]string{repo.Scope(transport.PullScope)})
	if err != nil {
		base.CloseIdleConnections()
		if ctx.Err() == nil && contact.nobody() {
			return nil, fmt.Errorf("%w: %w", image.ErrUnreachable, err)
		}
		return nil, loginError(err)
	}
	return &client{http: &http.Client{Transport: rt}, base: base, host: repo.RegistryStr(), path: repo.RepositoryStr(), retry: opts.retry}, nil
}

func newTransport(insecure bool) *http.Transport {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout, KeepAlive: answerTimeout}).DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: answerTimeout,
		MaxIdleConnsPerHost:   parallel,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // layers are compressed, and Range counts what is sent
	}
	if insecure {
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // the user said so, or it is this machine
	}
	return t
}

func (c *client) close() { c.base.CloseIdleConnections() }

// get asks for one thing and returns a good answer or an error.
func (c *client) get(ctx context.Context, kind, ref string, header http.Header) (*http.Response, error) {
	u := url.URL{Scheme: "https", Host: c.host, Path: "/v2/" + c.path + "/" + kind + "/" + ref}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil) // the scheme is corrected below us
	if err != nil {
		return nil, err
	}
	req.Header = header
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, classify(err) // a token can be refused too
	}
	if err := transport.CheckError(resp, http.StatusOK, http.StatusPartialContent); err != nil {
		return nil, errors.Join(classify(err), resp.Body.Close())
	}
	return resp, nil
}

// document fetches something small as a whole. An empty want is for tags: they
// promise nothing.
func (c *client) document(ctx context.Context, what, kind, ref string, want digest.Digest) (raw []byte, contentType string, err error) {
	err = c.retry.do(ctx, func() error {
		header := http.Header{}
		if kind == "manifests" {
			header.Set("Accept", accepted)
		}
		resp, err := c.get(ctx, kind, ref, header)
		if err != nil {
			return err
		}
		raw, err = io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
		if err != nil {
			err = fmt.Errorf("%w: %w", errBroken, err)
		}
		contentType = resp.Header.Get("Content-Type")
		return errors.Join(err, resp.Body.Close())
	})
	if err != nil {
		return nil, "", fmt.Errorf("get %s: %w", what, err)
	}
	if len(raw) > maxDocument {
		return nil, "", fmt.Errorf("%s is larger than %d bytes", what, maxDocument)
	}
	return raw, contentType, layer.Verify(what, want, digest.FromBytes(raw))
}

// fetched is a manifest or an index as it came.
type fetched struct {
	raw       []byte
	digest    digest.Digest
	mediaType string
}

func (c *client) manifest(ctx context.Context, ref string, want digest.Digest) (fetched, error) {
	raw, contentType, err := c.document(ctx, "manifest", "manifests", ref, want)
	if err != nil {
		return fetched{}, err
	}
	var head struct {
		SchemaVersion int             `json:"schemaVersion"`
		MediaType     string          `json:"mediaType"`
		Manifests     json.RawMessage `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return fetched{}, fmt.Errorf("read manifest: %w", err)
	}
	if head.SchemaVersion != 2 {
		return fetched{}, fmt.Errorf("manifest has schema %d, long out of use; the image must be pushed again", head.SchemaVersion)
	}
	f := fetched{raw: raw, digest: digest.FromBytes(raw), mediaType: head.MediaType}
	if f.mediaType == "" { // optional in OCI documents: the header says, or the content
		f.mediaType, _, _ = strings.Cut(contentType, ";")
	}
	if len(bytes.TrimSpace(head.Manifests)) > 0 {
		f.mediaType = ocispec.MediaTypeImageIndex
	}
	return f, nil
}
