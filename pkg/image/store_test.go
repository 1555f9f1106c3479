package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/ocispec"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: layers are unpacked with their owners")
	}
}

var ctx = context.Background()

func openStore(t testing.TB) (*Store, string) {
	t.Helper()
	needRoot(t)
	root := t.TempDir()
	s, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return s, root
}

// tarball holds one file.
func tarball(t testing.TB, name, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))})
	if err == nil {
		_, err = w.Write([]byte(content))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(raw)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mustParse(t testing.TB, s string) Name {
	t.Helper()
	n, err := ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustImport(t testing.TB, s *Store, name, content string) *Image {
	t.Helper()
	img, err := s.Import(ctx, bytes.NewReader(tarball(t, "file", content)), mustParse(t, name), ImportOptions{Created: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// files lists everything in the store but its locks.
func files(t testing.TB, root string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasSuffix(p, ".lock") || strings.Contains(p, partialSuffix) || strings.Contains(p, removedSuffix) {
			rel, _ := filepath.Rel(root, p)
			list = append(list, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestImportedImageIsFoundByEveryName(t *testing.T) {
	s, _ := openStore(t)
	opts := ImportOptions{
		Config:  ocispec.ImageConfig{Cmd: []string{"/bin/sh"}, Env: []string{"A=b"}},
		Message: "by hand",
	}
	img, err := s.Import(ctx, bytes.NewReader(gzipped(t, tarball(t, "etc/motd", "hi"))), mustParse(t, "base"), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{
		"base", "base:latest", "docker.io/library/base", img.ID.String(), img.ID.Encoded(), img.ShortID(), img.ID.Encoded()[:1],
		"sha256:" + img.ShortID(), "base@" + img.Descriptor.Digest.String(),
	} {
		got, err := s.Get(ref)
		if err != nil || got.ID != img.ID {
			t.Errorf("Get(%q): %v, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"base:3", "bas", "x/base", strings.Repeat("0", 64), "base@" + someDigest, "sha256:" + strings.Repeat("0", 12)} {
		if got, err := s.Get(ref); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrName) {
			t.Errorf("Get(%q): %v, %v; want ErrNotFound", ref, got, err)
		}
	}
	if len(img.LowerDirs()) != 1 || img.Config.Config.Cmd[0] != "/bin/sh" || img.Config.History[0].Comment != "by hand" {
		t.Errorf("image is %+v", img)
	}
	content, err := os.ReadFile(filepath.Join(img.LowerDirs()[0], "etc/motd"))
	if err != nil || string(content) != "hi" {
		t.Errorf("unpacked %q, %v", content, err)
	}
	rec, err := img.Layers[0].Record()
	if err != nil || rec.Digest != img.Layers[0].Digest || rec.DiffID != img.Layers[0].DiffID || rec.Digest == rec.DiffID {
		t.Errorf("record %+v, %v; layer %+v", rec, err, img.Layers[0])
	}
	if n, err := img.UnpackedSize(); n != 2 || err != nil {
		t.Errorf("unpacked size %d, %v", n, err)
	}
}

func TestStoreIsALayoutOtherToolsRead(t *testing.T) {
	s, root := openStore(t)
	img := mustImport(t, s, "quay.io/org/app:1.2", "x")
	var layout ocispec.ImageLayout
	readJSON(t, filepath.Join(root, "images/oci-layout"), &layout)
	var index ocispec.Index
	readJSON(t, filepath.Join(root, "images/index.json"), &index)
	if layout.Version != "1.0.0" || index.SchemaVersion != 2 || len(index.Manifests) != 1 {
		t.Fatalf("layout %+v, index %+v", layout, index)
	}
	d := index.Manifests[0]
	if d.Annotations["org.opencontainers.image.ref.name"] != "quay.io/org/app:1.2" ||
		d.Annotations["io.containerd.image.name"] != "quay.io/org/app:1.2" || d.Platform == nil || d.Platform.OS != "linux" {
		t.Errorf("descriptor %+v", d)
	}
	for _, b := range []ocispec.Descriptor{d, img.Manifest.Config, img.Manifest.Layers[0]} {
		raw, err := os.ReadFile(filepath.Join(root, "images/blobs/sha256", b.Digest.Encoded()))
		if err != nil || digest.FromBytes(raw) != b.Digest || int64(len(raw)) != b.Size {
			t.Errorf("blob %+v: %d bytes, %v", b, len(raw), err)
		}
	}
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestImportWithAFixedTimeIsIdempotent(t *testing.T) {
	s, root := openStore(t)
	first := mustImport(t, s, "base", "x")
	before := files(t, root)
	second := mustImport(t, s, "base", "x")
	if first.ID != second.ID || !slices.Equal(before, files(t, root)) {
		t.Errorf("IDs %s, %s; files before %v, after %v", first.ID, second.ID, before, files(t, root))
	}
	list, err := s.List()
	if err != nil || len(list) != 1 {
		t.Errorf("listed %v, %v", list, err)
	}
}

func TestANameMovesAndTheOldImageDangles(t *testing.T) {
	s, _ := openStore(t)
	old := mustImport(t, s, "base", "old")
	now := mustImport(t, s, "base", "new")
	got, err := s.Get("base")
	if err != nil || got.ID != now.ID {
		t.Errorf("base is %v, %v", got, err)
	}
	if got, err = s.Get(old.ShortID()); err != nil || len(got.Names) != 0 {
		t.Errorf("the old image is %v, %v", got, err)
	}
	list, err := s.List()
	if err != nil || len(list) != 2 {
		t.Errorf("listed %v, %v", list, err)
	}
}

func TestAmbiguousIDIsSaid(t *testing.T) {
	s, _ := openStore(t)
	seen := map[string]bool{}
	for i := 0; ; i++ {
		id := mustImport(t, s, "base:"+string(rune('a'+i)), strings.Repeat("x", i)).ID.Encoded()[:1]
		if seen[id] {
			if _, err := s.Get(id); !errors.Is(err, ErrAmbiguous) {
				t.Errorf("Get(%q): %v", id, err)
			}
			return
		}
		seen[id] = true
	}
}

func TestFailedImportLeavesNothing(t *testing.T) {
	s, root := openStore(t)
	mustImport(t, s, "other", "x")
	before := files(t, root)
	good := tarball(t, "file", strings.Repeat("content ", 1000))
	flipped := gzipped(t, good)
	flipped[len(flipped)-6] ^= 1
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for name, tc := range map[string]struct {
		ctx context.Context
		tar []byte
	}{
		"truncated":      {ctx, good[:1000]},
		"truncated gzip": {ctx, gzipped(t, good)[:50]},
		"bad checksum":   {ctx, flipped},
		"empty":          {ctx, nil},
		"empty tar":      {ctx, make([]byte, 1024)},
		"no tar":         {ctx, bytes.Repeat([]byte("hello"), 1000)},
		"escape":         {ctx, tarball(t, "../file", "x")},
		"cancelled":      {cancelled, good},
	} {
		if img, err := s.Import(tc.ctx, bytes.NewReader(tc.tar), mustParse(t, "bad"), ImportOptions{}); err == nil {
			t.Errorf("%s: imported %+v", name, img)
		}
		if after := files(t, root); !slices.Equal(before, after) {
			t.Errorf("%s: files before %v, after %v", name, before, after)
		}
	}
}

func TestDeletedLayerIsUnpackedAgain(t *testing.T) {
	for name, remove := range map[string]func(root string, l Layer) error{
		"all layers":   func(root string, _ Layer) error { return os.RemoveAll(filepath.Join(root, "layers")) },
		"one layer":    func(_ string, l Layer) error { return os.RemoveAll(filepath.Dir(l.Dir)) },
		"its files":    func(_ string, l Layer) error { return os.RemoveAll(l.Dir) },
		"its record":   func(_ string, l Layer) error { return os.Remove(filepath.Join(filepath.Dir(l.Dir), recordFile)) },
		"nothing else": func(string, Layer) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s, root := openStore(t)
			img := mustImport(t, s, "base", "x")
			before := files(t, root)
			for _, get := range []func() (*Image, error){
				func() (*Image, error) { return s.Get("base") },
				func() (*Image, error) {
					img, release, err := s.Hold("base")
					if err == nil {
						release()
					}
					return img, err
				},
				func() (*Image, error) { return mustImport(t, s, "base", "x"), nil },
			} {
				if err := remove(root, img.Layers[0]); err != nil {
					t.Fatal(err)
				}
				if got, err := get(); err != nil || got.ID != img.ID {
					t.Fatal(got, err)
				}
				if err := s.sweep(); err != nil {
					t.Fatal(err)
				}
				if after := files(t, root); !slices.Equal(before, after) {
					t.Fatalf("files before %v, after %v", before, after)
				}
			}
		})
	}
}

func TestInterruptedWorkIsSweptAway(t *testing.T) {
	s, root := openStore(t)
	mustImport(t, s, "base", "x")
	before := files(t, root)
	for _, left := range []string{"layers/new-x.partial/fs", "layers/" + strings.Repeat("a", 64) + ".partial/fs", "layers/a.b.removed/fs/deep"} {
		if err := os.MkdirAll(filepath.Join(root, left), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	busy, err := tryWorkspace(filepath.Join(root, "layers/busy.partial"))
	if err != nil || busy == nil {
		t.Fatal(err)
	}
	mustImport(t, s, "base", "x")
	if _, err := os.Stat(busy.dir); err != nil {
		t.Errorf("a living process's workspace was swept: %v", err)
	}
	if err := busy.close(); err != nil {
		t.Fatal(err)
	}
	if after := files(t, root); !slices.Equal(before, after) {
		t.Errorf("files before %v, after %v", before, after)
	}
}

func TestOpenTouchesNothing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "not", "there")
	s, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(); err != nil || len(list) != 0 {
		t.Errorf("listed %v, %v", list, err)
	}
	if _, err := s.Get("alpine"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the root was made: %v", err)
	}
}

func TestALayerThatOccursTwiceIsOneLowerDir(t *testing.T) {
	img := Image{Layers: []Layer{{Dir: "a"}, {Dir: "b"}, {Dir: "a"}, {Dir: "c"}}}
	if got := strings.Join(img.LowerDirs(), ":"); got != "c:a:b" {
		t.Errorf("lowerdir=%s", got)
	}
}

func BenchmarkGet(b *testing.B) {
	s, _ := openStore(b)
	for i := range 50 {
		mustImport(b, s, "base:"+strings.Repeat("x", i+1), strings.Repeat("x", i))
	}
	for b.Loop() {
		if _, err := s.Get("base:x"); err != nil {
			b.Fatal(err)
		}
	}
}
