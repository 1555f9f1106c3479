package layer

import (
	"archive/tar"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The proof that the translation is right is overlayfs itself: unpack two
// layers, mount them, look.
func TestOverlayfsUnderstandsTheWhiteouts(t *testing.T) {
	needRoot(t)
	lower := []tar.Header{
		dir("d"), file("d/keep", ""), file("d/gone", ""), dir("d/sub"), file("d/sub/deep", ""),
		dir("opaque"), file("opaque/old", ""), dir("tree"), file("tree/x", ""), file("replaced", ""), dir("was-dir"), file("was-dir/x", ""),
	}
	for name, tc := range map[string]struct {
		upper []tar.Header
		want  string
	}{
		"file and tree": {
			[]tar.Header{dir("d"), file("d/.wh.gone", ""), file("d/.wh.sub", ""), file(".wh.tree", "")},
			"d d/keep opaque opaque/old replaced was-dir was-dir/x",
		},
		"opaque mark first": {
			[]tar.Header{dir("opaque"), file("opaque/.wh..wh..opq", ""), file("opaque/new", "")},
			"d d/gone d/keep d/sub d/sub/deep opaque opaque/new replaced tree tree/x was-dir was-dir/x",
		},
		"opaque mark last": {
			[]tar.Header{dir("opaque"), file("opaque/new", ""), file("opaque/.wh..wh..opq", "")},
			"d d/gone d/keep d/sub d/sub/deep opaque opaque/new replaced tree tree/x was-dir was-dir/x",
		},
		"deleted and made again mark first": {
			[]tar.Header{file(".wh.d", ""), dir("d"), file("d/new", ""), file(".wh.replaced", ""), file("replaced", "")},
			"d d/new opaque opaque/old replaced tree tree/x was-dir was-dir/x",
		},
		"deleted and made again mark last": {
			[]tar.Header{dir("d"), file("d/new", ""), file(".wh.d", ""), file("replaced", ""), file(".wh.replaced", "")},
			"d d/new opaque opaque/old replaced tree tree/x was-dir was-dir/x",
		},
		"deleted and made again by an implied parent": {
			[]tar.Header{file(".wh.d", ""), file("d/new", "")},
			"d d/new opaque opaque/old replaced tree tree/x was-dir was-dir/x",
		},
		"directory becomes file": {
			[]tar.Header{file(".wh.was-dir", ""), file("was-dir", "")},
			"d d/gone d/keep d/sub d/sub/deep opaque opaque/old replaced tree tree/x was-dir",
		},
		"aufs bookkeeping": {
			[]tar.Header{dir(".wh..wh.plnk"), file(".wh..wh.aufs", ""), file(".wh.tree", "")},
			"d d/gone d/keep d/sub d/sub/deep opaque opaque/old replaced was-dir was-dir/x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			low, _ := jail(t)
			up, _ := jail(t)
			if err := unpack(t, low, lower...); err != nil {
				t.Fatal(err)
			}
			if err := unpack(t, up, tc.upper...); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(merged(t, up, low), " "); got != tc.want {
				t.Errorf("merged view:\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

// merged lists what an overlay mount of the layers, top first, shows.
func merged(t *testing.T, lowerdirs ...string) []string {
	t.Helper()
	mnt := t.TempDir()
	if err := unix.Mount("overlay", mnt, "overlay", unix.MS_RDONLY, "lowerdir="+strings.Join(lowerdirs, ":")); err != nil {
		t.Fatalf("mount overlay: %v", err)
	}
	defer func() {
		if err := unix.Unmount(mnt, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	}()
	var names []string
	err := filepath.WalkDir(mnt, func(p string, _ os.DirEntry, err error) error {
		if p != mnt {
			rel, _ := filepath.Rel(mnt, p)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}
