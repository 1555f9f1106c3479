package image

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/layer"
)

// archive is an image archive taken apart: `docker save` and its kin may put
// the table of contents last, so everything is spooled to a workspace first.
// The names in it are only keys of a map; the files are numbered.
type archive struct {
	files map[string]string // cleaned name in the archive → file
	links map[string]string // cleaned name → cleaned target
}

// spool reads an archive, compressed or not, into dir.
func spool(ctx context.Context, r io.Reader, dir string) (*archive, error) {
	stream, _, err := layer.Decompress(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	budget, err := layer.FreeBudget(dir)
	if err != nil {
		return nil, err
	}
	a := &archive{files: map[string]string{}, links: map[string]string{}}
	for tr, n := tar.NewReader(stream), 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		if err := budget.Charge(h); err != nil {
			return nil, err
		}
		if err := a.add(ctx, h, tr, path.Join(dir, strconv.Itoa(n))); err != nil {
			return nil, fmt.Errorf("read archive: %s: %w", h.Name, err)
		}
	}
}

func (a *archive) add(ctx context.Context, h *tar.Header, content io.Reader, to string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := path.Clean("/" + h.Name)
	switch h.Typeflag {
	case tar.TypeReg:
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		a.files[name] = to
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	case tar.TypeSymlink: // old archives say so that two layers are the same
		a.links[name] = path.Join(path.Dir(name), h.Linkname)
	case tar.TypeLink:
		a.links[name] = path.Clean("/" + h.Linkname)
	}
	return nil
}

func (a *archive) has(name string) bool {
	_, err := a.locate(name)
	return err == nil
}

func (a *archive) locate(name string) (string, error) {
	at := path.Clean("/" + name)
	for range 8 { // a chain longer than this is a loop
		if file, ok := a.files[at]; ok {
			return file, nil
		}
		next, ok := a.links[at]
		if !ok {
			break
		}
		at = next
	}
	return "", fmt.Errorf("%s is not in the archive: %w", name, fs.ErrNotExist)
}

func (a *archive) open(name string) (*os.File, error) {
	file, err := a.locate(name)
	if err != nil {
		return nil, err
	}
	return os.Open(file)
}

func (a *archive) read(name string) ([]byte, error) {
	f, err := a.open(name)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(raw) > maxDocument {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxDocument)
	}
	return raw, nil
}

func (a *archive) decode(name string, v any) error {
	raw, err := a.read(name)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

func blobName(d digest.Digest) string { return "blobs/sha256/" + d.Encoded() }

// blob reads a document of an OCI archive and checks it.
func (a *archive) blob(what string, d digest.Digest) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	raw, err := a.read(blobName(d))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return raw, layer.Verify(what, d, digest.FromBytes(raw))
}

// source is a file of the archive as a layer to bring in.
func (a *archive) source(name string, promise layer.Promise) LayerSource {
	return LayerSource{Promise: promise, Open: func(context.Context) (io.ReadCloser, error) { return a.open(name) }}
}
