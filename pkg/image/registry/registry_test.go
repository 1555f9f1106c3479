package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"minictr/pkg/image"
	"minictr/pkg/image/digest"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/image/transfer"
)

var (
	ctx   = context.Background()
	amd64 = ocispec.Platform{OS: "linux", Architecture: "amd64"}
	quick = retry{pause: time.Millisecond}
)

// hub is a registry on 127.0.0.1. A function given to intercept sees each
// request first, and answers it itself if it returns true.
type hub struct {
	*httptest.Server
	before atomic.Pointer[interceptor]
}

type interceptor = func(w http.ResponseWriter, r *http.Request) bool

func (h *hub) intercept(f interceptor) { h.before.Store(&f) }

func newHub(t testing.TB) *hub {
	t.Helper()
	h := &hub{}
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := h.before.Load(); f != nil && *f != nil && (*f)(w, r) {
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hub) host() string { return strings.TrimPrefix(h.URL, "http://") }

func (h *hub) name(t testing.TB, s string) image.Name {
	t.Helper()
	n, err := image.ParseName(h.host() + "/" + s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (h *hub) put(t testing.TB, method, path, mediaType, content string) {
	t.Helper()
	req, err := http.NewRequest(method, h.URL+path, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}

func (h *hub) blob(t testing.TB, repo, mediaType, content string) ocispec.Descriptor {
	t.Helper()
	d := describe(mediaType, content)
	h.put(t, http.MethodPost, "/v2/"+repo+"/blobs/uploads/?digest="+d.Digest.String(), "application/octet-stream", content)
	return d
}

func (h *hub) manifest(t testing.TB, repo, ref, mediaType string, v any) ocispec.Descriptor {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	d := describe(mediaType, string(raw))
	if ref == "" {
		ref = d.Digest.String()
	}
	h.put(t, http.MethodPut, "/v2/"+repo+"/manifests/"+ref, mediaType, string(raw))
	return d
}

func describe(mediaType, content string) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(content), Size: int64(len(content))}
}

// push makes an image of layers that hold one file each, named for its content.
func (h *hub) push(t testing.TB, repo, ref string, p ocispec.Platform, layers ...string) ocispec.Descriptor {
	t.Helper()
	config := ocispec.Image{Platform: p, RootFS: ocispec.RootFS{Type: "layers"}}
	m := ocispec.Manifest{Versioned: ocispec.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for _, content := range layers {
		raw := tarOf(t, content)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromBytes(raw))
		m.Layers = append(m.Layers, h.blob(t, repo, ocispec.MediaTypeImageLayerGzip, string(gzipped(t, raw))))
	}
	rawConfig, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	m.Config = h.blob(t, repo, ocispec.MediaTypeImageConfig, string(rawConfig))
	d := h.manifest(t, repo, ref, m.MediaType, m)
	d.Platform = &p
	return d
}

func tarOf(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	name := content[:min(len(content), 20)]
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))})
	if err == nil {
		_, err = w.Write([]byte(content))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gzipped does not compress: a layer is as long on the wire as its content.
func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err == nil {
		_, err = w.Write(raw)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openStore(t testing.TB) (*image.Store, string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: layers are unpacked with their owners")
	}
	root := t.TempDir()
	s, err := image.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return s, root
}

// files lists everything in the store but the index's lock.
func files(t testing.TB, root string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(p, ".lock") || strings.Contains(p, ".partial") || strings.Contains(p, ".removed") {
			list = append(list, p)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return list
}

func TestPulledImageIsThere(t *testing.T) {
	h := newHub(t)
	h.push(t, "org/app", "1", amd64, "one", "two", "one")
	s, _ := openStore(t)
	var events []transfer.Event
	img, err := Pull(ctx, s, h.name(t, "org/app:1"), Options{Options: transfer.Options{Progress: func(e transfer.Event) { events = append(events, e) }}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(h.host() + "/org/app:1")
	if err != nil || got.ID != img.ID || len(got.Layers) != 3 || len(got.LowerDirs()) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, content := range []string{"one", "two", "one"} {
		raw, err := os.ReadFile(filepath.Join(got.Layers[i].Dir, content))
		if err != nil || string(raw) != content {
			t.Errorf("layer %d: %q, %v", i, raw, err)
		}
	}
	if want := h.host() + "/org/app@" + got.Descriptor.Digest.String(); len(got.RepoDigests) != 1 || got.RepoDigests[0] != want {
		t.Errorf("repository digests %v, want %s", got.RepoDigests, want)
	}
	done := map[digest.Digest]bool{}
	for _, e := range events {
		if e.State == transfer.Done && e.Current == e.Total {
			done[e.Layer] = true
		}
	}
	if len(done) != 2 || events[0].State != transfer.Pending {
		t.Errorf("events %+v", events)
	}
}

func TestSecondPullFetchesNoLayer(t *testing.T) {
	h := newHub(t)
	h.push(t, "a", "1", amd64, "base", "one")
	h.push(t, "b", "1", amd64, "base", "two")
	s, _ := openStore(t)
	if _, err := Pull(ctx, s, h.name(t, "a:1"), Options{}); err != nil {
		t.Fatal(err)
	}
	states := map[transfer.State]int{}
	if _, err := Pull(ctx, s, h.name(t, "b:1"), Options{Options: transfer.Options{Progress: func(e transfer.Event) { states[e.State]++ }}}); err != nil {
		t.Fatal(err)
	}
	if states[transfer.Exists] != 1 || states[transfer.Done] != 1 {
		t.Errorf("states %v, want one layer that exists and one done", states)
	}
}

func TestPlatformIsPickedFromTheIndex(t *testing.T) {
	h := newHub(t)
	arm7 := ocispec.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
	arm6 := ocispec.Platform{OS: "linux", Architecture: "arm", Variant: "v6"}
	index := ocispec.Index{Versioned: ocispec.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for _, p := range []ocispec.Platform{amd64, arm6, arm7, {OS: "linux", Architecture: "arm64", Variant: "v8"}, {OS: "windows", Architecture: "amd64"}} {
		index.Manifests = append(index.Manifests, h.push(t, "multi", "", p, "for "+image.FormatPlatform(p)))
	}
	top := h.manifest(t, "multi", "1", index.MediaType, index)
	for ask, want := range map[string]string{
		"linux/amd64": "for linux/amd64", "amd64": "for linux/amd64", "linux/arm64": "for linux/arm64", "linux/aarch64": "for linux/arm64",
		"linux/arm": "for linux/arm/v7", "linux/arm/v8": "for linux/arm/v7", "linux/arm/v6": "for linux/arm/v6",
	} {
		s, _ := openStore(t)
		p, err := image.ParsePlatform(ask)
		if err != nil {
			t.Fatal(err)
		}
		img, err := Pull(ctx, s, h.name(t, "multi:1"), Options{Options: transfer.Options{Platform: p}})
		if err != nil {
			t.Fatal(ask, err)
		}
		if raw, err := os.ReadFile(filepath.Join(img.Layers[0].Dir, want)); err != nil {
			t.Errorf("%s: %q, %v", ask, raw, err)
		}
		if want := h.host() + "/multi@" + top.Digest.String(); img.RepoDigests[0] != want {
			t.Errorf("%s: known as %v, want %s", ask, img.RepoDigests, want)
		}
		if byDigest, err := s.Get(h.host() + "/multi@" + top.Digest.String()); err != nil || byDigest.ID != img.ID {
			t.Errorf("%s: by the index's digest: %v, %v", ask, byDigest, err)
		}
	}
	s, _ := openStore(t)
	_, err := Pull(ctx, s, h.name(t, "multi:1"), Options{Options: transfer.Options{Platform: ocispec.Platform{OS: "linux", Architecture: "s390x"}}})
	if !errors.Is(err, image.ErrPlatform) || !strings.Contains(err.Error(), "linux/arm/v6") {
		t.Errorf("s390x: %v", err)
	}
	h.push(t, "single", "1", amd64, "x")
	if _, err := Pull(ctx, s, h.name(t, "single:1"), Options{Options: transfer.Options{Platform: ocispec.Platform{OS: "linux", Architecture: "arm64"}}}); !errors.Is(err, image.ErrPlatform) {
		t.Errorf("single, arm64: %v", err)
	}
}

func TestPullByDigestNamesNothing(t *testing.T) {
	h := newHub(t)
	d := h.push(t, "app", "1", amd64, "x")
	s, root := openStore(t)
	ref := "app@" + d.Digest.String()
	if _, err := Pull(ctx, s, h.name(t, ref), Options{}); err != nil {
		t.Fatal(err)
	}
	img, err := s.Get(h.host() + "/" + ref)
	if err != nil || len(img.Names) != 0 {
		t.Fatalf("%+v, %v", img, err)
	}
	if done, err := s.Remove(h.host()+"/"+ref, false, nil); err != nil || len(done) != 2 {
		t.Errorf("removed %v, %v", done, err)
	}
	if left := files(t, root); len(left) != 2 {
		t.Errorf("left %v", left)
	}
}

func TestRemoveByTagTakesTheRepositorysDigestAlong(t *testing.T) {
	h := newHub(t)
	h.push(t, "app", "1", amd64, "x")
	s, root := openStore(t)
	if _, err := Pull(ctx, s, h.name(t, "app:1"), Options{}); err != nil {
		t.Fatal(err)
	}
	done, err := s.Remove(h.host()+"/app:1", false, nil)
	if err != nil || len(done) != 3 {
		t.Errorf("removed %v, %v", done, err)
	}
	if left := files(t, root); len(left) != 2 {
		t.Errorf("left %v", left)
	}
}

func TestEveryFailureHasItsErrorAndLeavesNothing(t *testing.T) {
	deny := func(code int, path string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, path) {
				return false
			}
			if code == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			}
			w.WriteHeader(code)
			return true
		}
	}
	replace := func(which string, with []byte) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, which) {
				return false
			}
			_, _ = w.Write(with)
			return true
		}
	}
	layer := gzipped(t, tarOf(t, "two"))
	layerPath := "/blobs/" + digest.FromBytes(layer).String()
	flipped := slices.Clone(layer)
	flipped[len(flipped)/2] ^= 1
	otherContent := slices.Concat(layer[:len(layer)-1], []byte{layer[len(layer)-1] ^ 1})
	for name, tc := range map[string]struct {
		ref    string
		before func(http.ResponseWriter, *http.Request) bool
		want   error
	}{
		"no such tag":            {"app:2", nil, image.ErrNotFound},
		"no such repository":     {"nope:1", nil, image.ErrNotFound},
		"no such digest":         {"app@" + digest.FromString("x").String(), nil, image.ErrNotFound},
		"no login":               {"app:1", deny(401, "/v2/"), image.ErrUnauthorized},
		"forbidden":              {"app:1", deny(403, "/manifests/"), image.ErrUnauthorized},
		"layer missing":          {"app:1", deny(404, layerPath), image.ErrNotFound},
		"layer forbidden":        {"app:1", deny(403, layerPath), image.ErrUnauthorized},
		"layer flipped":          {"app:1", replace(layerPath, flipped), image.ErrDigest},
		"layer's end flipped":    {"app:1", replace(layerPath, otherContent), image.ErrDigest},
		"layer too short":        {"app:1", replace(layerPath, layer[:len(layer)-4]), image.ErrDigest},
		"layer too long":         {"app:1", replace(layerPath, append(slices.Clone(layer), "more"...)), image.ErrDigest},
		"layer is something":     {"app:1", replace(layerPath, gzipped(t, tarOf(t, "six"))), image.ErrDigest},
		"manifest by digest":     {"PINNED", replace("PINNED", []byte(`{"schemaVersion":2}`)), image.ErrDigest},
		"manifest is nonsense":   {"app:1", replace("/manifests/1", []byte("<html>")), nil},
		"manifest is a list":     {"app:1", replace("/manifests/1", []byte("[]")), nil},
		"manifest of schema 1":   {"app:1", replace("/manifests/1", []byte(`{"schemaVersion":1}`)), nil},
		"manifest of no image":   {"app:1", replace("/manifests/1", []byte(`{"schemaVersion":2}`)), nil},
		"server broken for good": {"app:1", deny(503, layerPath), nil},
		"not a registry":         {"app:1", deny(404, "/v2/"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(t)
			pinned := h.push(t, "app", "1", amd64, "one", "two", "three")
			s, root := openStore(t)
			ref := strings.Replace(tc.ref, "PINNED", "app@"+pinned.Digest.String(), 1)
			h.intercept(tc.before)
			if tc.ref == "PINNED" {
				h.intercept(replace("/manifests/"+pinned.Digest.String(), []byte(`{"schemaVersion":2}`)))
			}
			img, err := Pull(ctx, s, h.name(t, ref), Options{retry: quick})
			if err == nil {
				t.Fatalf("pulled %+v", img)
			}
			for _, sentinel := range []error{image.ErrNotFound, image.ErrUnauthorized, image.ErrDigest, image.ErrUnreachable} {
				if errors.Is(err, sentinel) != (sentinel == tc.want) {
					t.Errorf("%v: is %q: %v", err, sentinel, errors.Is(err, sentinel))
				}
			}
			for _, f := range files(t, root) {
				if base := filepath.Base(f); base != "index.json" && base != "oci-layout" {
					t.Errorf("left %s", f)
				}
			}
		})
	}
}
