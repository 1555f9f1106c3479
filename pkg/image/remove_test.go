package image

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRemoveMeansWhatDockerMeans(t *testing.T) {
	for name, tc := range map[string]struct {
		names  []string // the first is imported, the others are tags
		ref    string   // ID: the image's
		force  bool
		inUse  bool
		want   string // what rmi prints; the ID is shown as ID
		refuse bool
		left   string // names left; "dangling" for an image without
	}{
		"last name":                    {names: []string{"a"}, ref: "a", want: "-a:latest ID"},
		"one of two names":             {names: []string{"a", "b"}, ref: "a", want: "-a:latest", left: "b:latest"},
		"by ID":                        {names: []string{"a"}, ref: "ID", want: "-a:latest ID"},
		"by ID, two names":             {names: []string{"a", "b"}, ref: "ID", refuse: true, left: "a:latest b:latest"},
		"by ID, two names, by force":   {names: []string{"a", "b"}, ref: "ID", force: true, want: "-a:latest -b:latest ID"},
		"in use":                       {names: []string{"a"}, ref: "a", inUse: true, refuse: true, left: "a:latest"},
		"in use by ID":                 {names: []string{"a"}, ref: "ID", inUse: true, refuse: true, left: "a:latest"},
		"in use, by force":             {names: []string{"a"}, ref: "a", inUse: true, force: true, want: "-a:latest", left: "dangling"},
		"in use, by ID and force":      {names: []string{"a", "b"}, ref: "ID", inUse: true, force: true, want: "-a:latest -b:latest", left: "dangling"},
		"in use, one of two names":     {names: []string{"a", "b"}, ref: "b", inUse: true, want: "-b:latest", left: "a:latest"},
		"unknown name":                 {names: []string{"a"}, ref: "c", refuse: true, left: "a:latest"},
		"name of another registry too": {names: []string{"a", "quay.io/x/a:1"}, ref: "quay.io/x/a:1", want: "-quay.io/x/a:1", left: "a:latest"},
	} {
		t.Run(name, func(t *testing.T) {
			s, root := openStore(t)
			img := mustImport(t, s, tc.names[0], "x")
			for _, n := range tc.names[1:] {
				if err := s.Tag(tc.names[0], n); err != nil {
					t.Fatal(err)
				}
			}
			ref := strings.ReplaceAll(tc.ref, "ID", img.ShortID())
			done, err := s.Remove(ref, tc.force, func(id string) []string {
				if id != img.ID.String() {
					t.Errorf("asked who uses %s", id)
				}
				return map[bool][]string{true: {"box"}}[tc.inUse]
			})
			if (err != nil) != tc.refuse || tc.inUse && tc.refuse && !errors.Is(err, ErrInUse) {
				t.Errorf("error %v", err)
			}
			if got := report(done, img); got != tc.want {
				t.Errorf("did %q, want %q", got, tc.want)
			}
			if got := left(t, s); got != tc.left {
				t.Errorf("left %q, want %q", got, tc.left)
			}
			if all := files(t, root); tc.left == "" && len(all) != 2 { // oci-layout, index.json
				t.Errorf("files left: %v", all)
			}
			if tc.left != "" {
				if _, err := os.Stat(img.Layers[0].Dir + "/file"); err != nil {
					t.Errorf("a layer that is needed is gone: %v", err)
				}
			}
		})
	}
}

func report(done []Removal, img *Image) string {
	var lines []string
	for _, r := range done {
		switch {
		case r.Untagged != "":
			lines = append(lines, "-"+r.Untagged)
		case r.Deleted == img.ID:
			lines = append(lines, "ID")
		default:
			lines = append(lines, fmt.Sprint(r))
		}
	}
	return strings.Join(lines, " ")
}

func left(t *testing.T, s *Store) string {
	t.Helper()
	list, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, img := range list {
		if len(img.Names) == 0 {
			names = append(names, "dangling")
		}
		for _, n := range img.Names {
			names = append(names, n.Familiar())
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestRemoveKeepsWhatAnotherImageNeeds(t *testing.T) {
	s, root := openStore(t)
	first := mustImport(t, s, "a", "shared")
	opts := ImportOptions{Message: "another config"}
	second, err := s.Import(ctx, strings.NewReader(string(tarball(t, "file", "shared"))), mustParse(t, "b"), opts)
	if err != nil || second.ID == first.ID || second.Layers[0].Dir != first.Layers[0].Dir {
		t.Fatalf("%+v, %v", second, err)
	}
	if _, err := s.Remove("a", false, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("b"); err != nil || string(readFile(t, got.Layers[0].Dir+"/file")) != "shared" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := s.Remove("b", false, nil); err != nil {
		t.Fatal(err)
	}
	if all := files(t, root); len(all) != 2 {
		t.Errorf("files left: %v", all)
	}
}

func TestRemoveLeavesWhatAnIngestCountsOn(t *testing.T) {
	s, root := openStore(t)
	img := mustImport(t, s, "a", "x")
	in, err := s.Begin()
	if err != nil {
		t.Fatal(err)
	}
	p := img.Layers[0]
	src := LayerSource{}
	src.Digest, src.DiffID = p.Digest, p.DiffID
	b, err := in.Layer(ctx, src)
	if err != nil || !b.Existed {
		t.Fatal(b, err)
	}
	if _, err := s.Remove("a", false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Dir); err != nil {
		t.Errorf("a leased layer was collected: %v", err)
	}
	if err := in.AddConfig([]byte(mustJSON(t, img.Config)), []Brought{b}, []Name{mustParse(t, "b")}); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get("b"); err != nil || got.ID != img.ID {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := s.Remove("b", false, nil); err != nil {
		t.Fatal(err)
	}
	if all := files(t, root); len(all) != 2 {
		t.Errorf("files left: %v", all)
	}
}

func TestBrokenImageCanBeRemoved(t *testing.T) {
	s, root := openStore(t)
	img := mustImport(t, s, "a", "x")
	if err := os.Remove(s.blobPath(img.Descriptor.Digest)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("a"); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Remove("a", false, nil); err != nil {
		t.Fatal(err)
	}
	if all := files(t, root); len(all) != 2 {
		t.Errorf("files left: %v", all)
	}
}

func TestTagRefuses(t *testing.T) {
	s, _ := openStore(t)
	mustImport(t, s, "a", "x")
	for src, dst := range map[string]string{"a": "B", "a:latest": "b@" + someDigest, "nope": "b"} {
		if err := s.Tag(src, dst); err == nil {
			t.Errorf("tagged %s as %s", src, dst)
		}
	}
}

func TestHoldKeepsAnImageFromBeingRemoved(t *testing.T) {
	s, _ := openStore(t)
	mustImport(t, s, "a", "x")
	img, release, err := s.Hold("a")
	if err != nil {
		t.Fatal(err)
	}
	var recorded atomic.Bool // what the engine writes while it holds
	gone := make(chan error, 1)
	go func() {
		_, err := s.Remove("a", false, func(string) []string { return map[bool][]string{true: {"box"}}[recorded.Load()] })
		gone <- err
	}()
	time.Sleep(50 * time.Millisecond) // enough for a Remove that does not wait
	recorded.Store(true)
	release()
	if err := <-gone; !errors.Is(err, ErrInUse) {
		t.Errorf("%v, want ErrInUse", err)
	}
	if _, err := os.Stat(img.Layers[0].Dir); err != nil {
		t.Error(err)
	}
}
