package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/ocispec"
)

// member is one file of an archive; a link if it has a target.
type member struct{ name, content, link string }

func archiveOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content))}
		if m.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, m.link
		}
		err := w.WriteHeader(&h)
		if err == nil {
			_, err = w.Write([]byte(m.content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func configFor(t testing.TB, arch string, layers ...string) string {
	t.Helper()
	c := ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: arch}, RootFS: ocispec.RootFS{Type: "layers"}}
	for _, l := range layers {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, digest.FromString(l))
	}
	return mustJSON(t, c)
}

// dockerArchive is two images that share a layer, the contents last.
func dockerArchive(t testing.TB) []member {
	t.Helper()
	base, app := string(tarball(t, "base", "b")), string(tarball(t, "app", "a"))
	one, two := configFor(t, "amd64", base), configFor(t, "amd64", base, app)
	oneID, twoID := digest.FromString(one).Encoded(), digest.FromString(two).Encoded()
	return []member{
		{name: "x/layer.tar", content: base},
		{name: "y/layer.tar", link: "../x/layer.tar"},
		{name: "z/layer.tar", content: string(gzipped(t, []byte(app)))},
		{name: oneID + ".json", content: one},
		{name: twoID + ".json", content: two},
		{name: "manifest.json", content: mustJSON(t, []dockerImage{
			{Config: oneID + ".json", RepoTags: []string{"base:1", "base:latest"}, Layers: []string{"x/layer.tar"}},
			{Config: twoID + ".json", RepoTags: nil, Layers: []string{"y/layer.tar", "z/layer.tar"}},
		})},
	}
}

func blobMember(content string) member {
	return member{name: blobName(digest.FromString(content)), content: content}
}

func descriptor(mediaType, content string) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(content), Size: int64(len(content))}
}

// ociImage is a manifest's descriptor and the blobs behind it.
func ociImage(t testing.TB, arch string) (ocispec.Descriptor, []member) {
	t.Helper()
	tarLayer := string(tarball(t, "arch", arch))
	packed := string(gzipped(t, []byte(tarLayer)))
	config := configFor(t, arch, tarLayer)
	manifest := mustJSON(t, ocispec.Manifest{
		Versioned: ocispec.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: descriptor(ocispec.MediaTypeImageConfig, config),
		Layers: []ocispec.Descriptor{descriptor(ocispec.MediaTypeImageLayerGzip, packed)},
	})
	d := descriptor(ocispec.MediaTypeImageManifest, manifest)
	d.Platform = &ocispec.Platform{OS: "linux", Architecture: arch}
	return d, []member{blobMember(packed), blobMember(config), blobMember(manifest)}
}

func ociArchive(t testing.TB, top []ocispec.Descriptor, blobs ...member) []member {
	t.Helper()
	return append(blobs,
		member{name: "oci-layout", content: `{"imageLayoutVersion":"1.0.0"}`},
		member{name: "./index.json", content: mustJSON(t, ocispec.Index{Versioned: ocispec.Versioned{SchemaVersion: 2}, Manifests: top})},
	)
}

func named(d ocispec.Descriptor, annotations ...string) ocispec.Descriptor {
	d.Annotations = map[string]string{}
	for i := 0; i < len(annotations); i += 2 {
		d.Annotations[annotations[i]] = annotations[i+1]
	}
	return d
}

func TestDockerArchiveLoads(t *testing.T) {
	s, root := openStore(t)
	images, err := s.Load(ctx, bytes.NewReader(gzipped(t, archiveOf(t, dockerArchive(t)...))), ocispec.Platform{})
	if err != nil {
		t.Fatal(err)
	}
	if len(images) != 2 || len(images[0].Names) != 2 || len(images[1].Names) != 0 || len(images[1].Layers) != 2 {
		t.Fatalf("loaded %+v", images)
	}
	got, err := s.Get("base")
	if err != nil || got.ID != images[0].ID || got.Layers[0].Dir != images[1].Layers[0].Dir {
		t.Errorf("base is %+v, %v", got, err)
	}
	for _, l := range images[1].Manifest.Layers {
		if want := map[bool]string{true: ocispec.MediaTypeImageLayer, false: ocispec.MediaTypeImageLayerGzip}[l.Digest == images[1].Config.RootFS.DiffIDs[0]]; l.MediaType != want {
			t.Errorf("layer %s is called %s", l.Digest, l.MediaType)
		}
	}
	before := files(t, root)
	if _, err := s.Load(ctx, bytes.NewReader(archiveOf(t, dockerArchive(t)...)), ocispec.Platform{}); err != nil {
		t.Error(err)
	}
	if after := files(t, root); !slices.Equal(before, after) {
		t.Errorf("loading again changed the store: %v, %v", before, after)
	}
}

func TestOCIArchiveLoads(t *testing.T) {
	amd, amdBlobs := ociImage(t, "amd64")
	arm, armBlobs := ociImage(t, "arm64")
	inner := mustJSON(t, ocispec.Index{Versioned: ocispec.Versioned{SchemaVersion: 2}, MediaType: mediaTypeIndex, Manifests: []ocispec.Descriptor{
		amd, arm, {MediaType: ocispec.MediaTypeImageManifest, Digest: someDigest, Platform: &ocispec.Platform{OS: "unknown", Architecture: "unknown"}},
	}})
	both := slices.Concat(amdBlobs, armBlobs)
	linuxARM := ocispec.Platform{OS: "linux", Architecture: "arm64"}
	for name, tc := range map[string]struct {
		members  []member
		platform ocispec.Platform
		arch     string
		names    string
	}{
		"containerd's name": {
			ociArchive(t, []ocispec.Descriptor{named(amd, annotationRef, "1", annotationName, "docker.io/library/a:1")}, amdBlobs...),
			ocispec.Platform{},
			"amd64", "a:1",
		},
		"podman's name":    {ociArchive(t, []ocispec.Descriptor{named(amd, annotationRef, "localhost/a:1")}, amdBlobs...), ocispec.Platform{}, "amd64", "localhost/a:1"},
		"a bare tag":       {ociArchive(t, []ocispec.Descriptor{named(amd, annotationRef, "latest")}, amdBlobs...), ocispec.Platform{}, "amd64", ""},
		"another platform": {ociArchive(t, []ocispec.Descriptor{arm}, armBlobs...), ocispec.Platform{OS: "linux", Architecture: "amd64"}, "arm64", ""},
		"two names": {
			ociArchive(t, []ocispec.Descriptor{named(amd, annotationRef, "a:1"), named(amd, annotationRef, "b:2")}, amdBlobs...),
			ocispec.Platform{OS: "linux", Architecture: "amd64"},
			"amd64", "a:1 b:2",
		},
		"an index": {
			ociArchive(t, []ocispec.Descriptor{named(descriptor(mediaTypeIndex, inner), annotationRef, "a:1")}, append(both, blobMember(inner))...),
			linuxARM, "arm64", "a:1",
		},
		"side by side": {
			ociArchive(t, []ocispec.Descriptor{named(amd, annotationRef, "a:1"), named(arm, annotationRef, "a:1")}, both...),
			linuxARM, "arm64", "a:1",
		},
		"side by side, nameless": {ociArchive(t, []ocispec.Descriptor{amd, arm}, both...), linuxARM, "arm64", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openStore(t)
			if _, err := s.Load(ctx, bytes.NewReader(archiveOf(t, tc.members...)), tc.platform); err != nil {
				t.Fatal(err)
			}
			list, err := s.List()
			if err != nil || len(list) != 1 {
				t.Fatalf("listed %+v, %v", list, err)
			}
			var names []string
			for _, n := range list[0].Names {
				names = append(names, n.Familiar())
			}
			if list[0].Config.Architecture != tc.arch || strings.Join(names, " ") != tc.names {
				t.Errorf("loaded %s for %s", names, list[0].Config.Architecture)
			}
		})
	}
}

func TestCorruptArchiveLeavesNothing(t *testing.T) {
	s, root := openStore(t)
	mustImport(t, s, "other", "x")
	before := files(t, root)
	change := func(members []member, i int, do func(string) string) []member {
		members = slices.Clone(members)
		members[i].content = do(members[i].content)
		return members
	}
	flip := func(s string) string { b := []byte(s); b[len(b)/2] ^= 1; return string(b) }
	docker := dockerArchive(t)
	amd, blobs := ociImage(t, "amd64")
	oci := ociArchive(t, []ocispec.Descriptor{amd}, blobs...)
	for name, tc := range map[string]struct {
		members []member
		want    error
	}{
		"docker: second layer flipped": {change(docker, 2, flip), nil},
		"docker: config flipped":       {change(docker, 4, flip), ErrDigest},
		"docker: other base":           {change(docker, 0, func(string) string { return string(tarball(t, "other", "o")) }), ErrDigest},
		"docker: no layer":             {docker[1:], nil},
		"docker: bad contents":         {change(docker, 5, func(string) string { return "[{" }), nil},
		"docker: bad name":             {change(docker, 5, func(s string) string { return strings.Replace(s, "base:1", "Base:1", 1) }), ErrName},
		"docker: no images":            {change(docker, 5, func(string) string { return "[]" }), nil},
		"docker: link loop":            {append(docker[1:], member{name: "x/layer.tar", link: "../y/layer.tar"}), nil},
		"oci: layer flipped":           {change(oci, 0, flip), ErrDigest},
		"oci: layer replaced":          {change(oci, 0, func(string) string { return string(gzipped(t, tarball(t, "o", "o"))) }), ErrDigest},
		"oci: config flipped":          {change(oci, 1, flip), ErrDigest},
		"oci: manifest flipped":        {change(oci, 2, flip), ErrDigest},
		"oci: manifest missing":        {slices.Delete(slices.Clone(oci), 2, 3), nil},
		"oci: no images":               {ociArchive(t, nil), nil},
		"neither":                      {[]member{{name: "etc/passwd", content: "root"}}, nil},
	} {
		images, err := s.Load(ctx, bytes.NewReader(archiveOf(t, tc.members...)), ocispec.Platform{OS: "linux", Architecture: "amd64"})
		if err == nil {
			t.Errorf("%s: loaded %+v", name, images)
		}
		if tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
		if after := files(t, root); !slices.Equal(before, after) {
			t.Errorf("%s: files before %v, after %v", name, before, after)
		}
	}
	if _, err := s.Load(ctx, strings.NewReader("hello"), ocispec.Platform{}); err == nil {
		t.Error("a text file loaded")
	}
	if _, err := s.Load(ctx, bytes.NewReader(archiveOf(t, oci...)), ocispec.Platform{OS: "windows", Architecture: "amd64"}); err != nil {
		t.Errorf("an archive of one image loads wherever it is for: %v", err)
	}
}

// skopeo, where it is installed, is a second opinion on both formats.
func TestSkopeoReadsOurLayoutAndWritesArchivesWeLoad(t *testing.T) {
	skopeo, err := exec.LookPath("skopeo")
	if err != nil {
		t.Skip("needs the skopeo program")
	}
	s, root := openStore(t)
	img := mustImport(t, s, "base:1", "x")
	for _, format := range []string{"docker-archive", "oci-archive"} {
		file := filepath.Join(t.TempDir(), "image.tar")
		out, err := exec.Command(skopeo, "--insecure-policy", "copy", "oci:"+root+"/images:docker.io/library/base:1", format+":"+file+":docker.io/library/copy:2").CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo: %v: %s", err, out)
		}
		raw := readFile(t, file)
		other, _ := openStore(t)
		images, err := other.Load(ctx, bytes.NewReader(raw), ocispec.Platform{})
		if err != nil || len(images) != 1 || images[0].Name().Familiar() != "copy:2" {
			t.Fatalf("%s: loaded %+v, %v", format, images, err)
		}
		if images[0].Layers[0].DiffID != img.Layers[0].DiffID {
			t.Errorf("%s: layer became %s", format, images[0].Layers[0].DiffID)
		}
	}
}
