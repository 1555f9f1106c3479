package image

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/layer"
)

// LayerSource is a layer to bring in.
type LayerSource struct {
	// Promise is what the layer must turn out to be. Nothing promised: it is
	// what it is (import). Only the DiffID: any compression will do.
	layer.Promise

	// Open starts the layer's stream. It is called at most once, and only if
	// the store has no such blob. Nil: it must have.
	Open func(context.Context) (io.ReadCloser, error)
	// Waiting is told, if set, when somebody else has the layer in hand.
	Waiting func()
}

// Brought is a layer that is now in the store and leased.
type Brought struct {
	Layer
	Compression layer.Compression // of the blob
	Existed     bool              // blob and directory were there already
}

func (s *Store) recordPath(diffID digest.Digest) string {
	return filepath.Join(s.layerPath(diffID), recordFile)
}

// Layer makes sure that a layer is in the store, as a blob and unpacked: it
// reads, verifies, stores and unpacks in one pass what is missing. When two
// processes want the same layer, one works and the other waits for it.
func (in *Ingest) Layer(ctx context.Context, src LayerSource) (Brought, error) {
	if b, ok, err := in.present(src); ok || err != nil {
		return b, err
	}
	w, err := in.workspace(ctx, src)
	if err != nil {
		return Brought{}, err
	}
	b, ok, err := in.present(src) // the one we waited for may have been successful
	if !ok && err == nil {
		b, err = in.fill(ctx, w, src)
	}
	if cerr := w.close(); cerr != nil {
		err = errors.Join(err, fmt.Errorf("close workspace: %w", cerr))
	}
	return b, err
}

// workspace claims the layer by its diff ID, so that it is unpacked once. What
// an unknown layer will be called is known at the end only.
func (in *Ingest) workspace(ctx context.Context, src LayerSource) (*workspace, error) {
	name := "new-" + strings.ToLower(rand.Text())
	if src.DiffID != "" {
		name = src.DiffID.Encoded()
	}
	dir := filepath.Join(in.s.layers, name+partialSuffix)
	if w, err := tryWorkspace(dir); w != nil || err != nil {
		return w, err
	}
	if src.Waiting != nil {
		src.Waiting()
	}
	return openWorkspace(ctx, dir)
}

// present leases what is there of the layer, and tells whether that is all.
func (in *Ingest) present(src LayerSource) (Brought, bool, error) {
	if src.DiffID == "" {
		return Brought{}, false, nil
	}
	record, err := in.leaseLayer(src.DiffID)
	if record == nil || err != nil {
		return Brought{}, false, err
	}
	if src.Digest == "" { // then the blob it was unpacked from is as good as any
		var r Record
		if err := json.NewDecoder(record).Decode(&r); err != nil || r.Digest.Validate() != nil {
			return Brought{}, false, nil
		}
		src.Digest = r.Digest
	}
	b, err := in.brought(src.Digest, src.DiffID)
	if errors.Is(err, fs.ErrNotExist) {
		return Brought{}, false, nil
	}
	b.Existed = true
	return b, err == nil, err
}

// brought describes a layer whose blob and directory are there.
func (in *Ingest) brought(dgst, diffID digest.Digest) (Brought, error) {
	blob, err := in.lease(in.s.blobPath(dgst))
	if err == nil && blob == nil {
		err = fmt.Errorf("blob %s: %w", dgst, fs.ErrNotExist)
	}
	if err != nil {
		return Brought{}, err
	}
	st, err := blob.Stat()
	if err != nil {
		return Brought{}, fmt.Errorf("blob %s: %w", dgst, err)
	}
	return Brought{
		Layer:       Layer{Digest: dgst, DiffID: diffID, Size: st.Size(), Dir: filepath.Join(in.s.layerPath(diffID), layerDir)},
		Compression: layer.Sniff(bufio.NewReader(io.NewSectionReader(blob, 0, 16))),
	}, nil
}

// lease leases path once for this ingest; nil when it is not there.
func (in *Ingest) lease(path string) (*os.File, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if f := in.leases[path]; f != nil {
		_, err := f.Seek(0, io.SeekStart)
		return f, err
	}
	f, err := lease(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	in.leases[path] = f
	return f, nil
}

// leaseLayer leases an unpacked layer by its record; nil when it is not there,
// or when somebody removed its files.
func (in *Ingest) leaseLayer(diffID digest.Digest) (*os.File, error) {
	if !in.s.whole(diffID) {
		return nil, nil
	}
	return in.lease(in.s.recordPath(diffID))
}

func (in *Ingest) keepLease(path string, f *os.File) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.leases[path], in.published = f, true
}

// fill does the work in a workspace that is ours.
func (in *Ingest) fill(ctx context.Context, w *workspace, src LayerSource) (Brought, error) {
	dir, err := in.unpackTo(w, src.DiffID)
	if err != nil {
		return Brought{}, err
	}
	stream, tmp, err := in.open(ctx, w, src)
	if err != nil {
		return Brought{}, err
	}
	defer func() { _ = stream.Close() }()
	res, err := layer.Extract(ctx, stream, dir, src.Promise, layer.Limits{})
	if err != nil {
		return Brought{}, fmt.Errorf("unpack layer %s: %w", cmp.Or(src.Digest, "from the stream"), err)
	}
	if tmp != nil {
		if err := in.publishBlob(tmp, res.Digest); err != nil {
			return Brought{}, fmt.Errorf("store layer %s: %w", res.Digest, err)
		}
	}
	if dir != "" {
		if err := in.publishDir(w, res); err != nil {
			return Brought{}, fmt.Errorf("store layer %s: %w", res.Digest, err)
		}
	}
	return in.brought(res.Digest, res.DiffID)
}

// unpackTo makes the directory to unpack in; none if only the blob is missing.
func (in *Ingest) unpackTo(w *workspace, diffID digest.Digest) (string, error) {
	if diffID != "" {
		if record, err := in.leaseLayer(diffID); record != nil || err != nil {
			return "", err
		}
	}
	dir := w.path(layerDir)
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		err = os.Chmod(dir, 0o755) // whatever the umask: it is a container's /
	}
	if err != nil {
		return "", fmt.Errorf("make layer directory: %w", err)
	}
	return dir, nil
}

// open starts the layer's stream: from the blob that is here, or from outside,
// and then a copy goes to the file that is returned too.
func (in *Ingest) open(ctx context.Context, w *workspace, src LayerSource) (io.ReadCloser, *os.File, error) {
	if src.Digest != "" {
		f, err := os.Open(in.s.blobPath(src.Digest))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, nil, err
		}
	}
	if src.Open == nil {
		return nil, nil, fmt.Errorf("layer %s: %w", src.DiffID, fs.ErrNotExist)
	}
	rc, err := src.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	tmp, err := os.OpenFile(w.path("blob"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("store layer: %w", err), rc.Close())
	}
	return &copied{Reader: io.TeeReader(rc, tmp), rc: rc, tmp: tmp}, tmp, nil
}

type copied struct {
	io.Reader
	rc, tmp io.Closer
}

func (c *copied) Close() error { return errors.Join(c.rc.Close(), c.tmp.Close()) }

// publishBlob moves a complete file to its digest's name, leased from before
// it can be seen.
func (in *Ingest) publishBlob(tmp *os.File, d digest.Digest) error {
	if err := tmp.Sync(); err != nil {
		return err
	}
	final := in.s.blobPath(d)
	// A link, since a rename would replace a blob that others lease.
	move := func() error { return os.Link(tmp.Name(), final) }
	existing := func() (*os.File, error) { return in.lease(final) }
	if err := in.publish(tmp.Name(), final, move, existing); err != nil {
		return err
	}
	return os.Remove(tmp.Name()) // the workspace may become the layer
}

// publishDir writes the record and gives the workspace its final name.
func (in *Ingest) publishDir(w *workspace, res layer.Result) error {
	raw, err := json.MarshalIndent(Record{Digest: res.Digest, DiffID: res.DiffID, Dir: layerDir, Usage: res.Usage}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.path(recordFile), raw, 0o644); err != nil {
		return err
	}
	// After a power cut a layer is whole or absent: everything of it is on
	// disk before its name is. One syncfs is cheaper than a thousand fsyncs.
	if err := unix.Syncfs(int(w.lock.Fd())); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	move := func() error {
		err := os.Rename(w.dir, in.s.layerPath(res.DiffID))
		w.kept = err == nil
		return err
	}
	existing := func() (*os.File, error) {
		if err := in.s.retireBroken(res.DiffID); err != nil {
			return nil, err
		}
		return in.leaseLayer(res.DiffID)
	}
	return in.publish(w.path(recordFile), in.s.recordPath(res.DiffID), move, existing)
}

// publish leases tmp, makes it appear under its final name, and keeps the
// lease. If the final name exists, that one is leased instead: same digest,
// same content.
func (in *Ingest) publish(tmp, final string, move func() error, existing func() (*os.File, error)) error {
	f, err := lease(tmp)
	if err != nil {
		return err
	}
	for {
		err := move()
		if err == nil {
			in.keepLease(final, f)
			return nil
		}
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.ENOTEMPTY) {
			return errors.Join(err, f.Close())
		}
		if other, err := existing(); other != nil || err != nil {
			return errors.Join(err, f.Close())
		} // it went since: try again
	}
}
