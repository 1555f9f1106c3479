package merged

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestChangesAreWhatOverlayfsWouldShow(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("marks of overlayfs need root")
	}
	top := t.TempDir()
	upper, high, low := top+"/upper", top+"/high", top+"/low"
	for _, dir := range []string{
		upper + "/kept/deep", upper + "/opaque", upper + "/dir-over-file", upper + "/proc",
		high + "/gone-in-high", high + "/opaque/a", low + "/kept/deep", low + "/opaque/b", low + "/dir", low + "/hidden",
	} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{
		upper + "/kept/deep/file", upper + "/opaque/a", upper + "/file-over-dir", upper + "/added",
		low + "/kept/deep/file", low + "/kept/rest", low + "/dir-over-file", low + "/file-over-dir/x", low + "/lost", low + "/hidden/x",
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(file), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, mark := range []string{upper + "/lost", upper + "/never-was", high + "/hidden"} {
		if err := unix.Mknod(mark, unix.S_IFCHR, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Setxattr(upper+"/opaque", "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		t.Skipf("no trusted attributes here: %v", err)
	}
	for _, dir := range []string{"kept", "kept/deep"} { // copied up, and nothing in them has come or gone
		same := []unix.Timespec{{Sec: 1}, {Sec: 1}}
		for _, layer := range []string{upper, low} {
			if err := unix.UtimesNano(filepath.Join(layer, dir), same); err != nil {
				t.Fatal(err)
			}
		}
	}
	changes, err := Changes(upper, high, low)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, c.String())
	}
	want := "A /added, C /dir-over-file, C /file-over-dir, C /kept/deep/file, D /lost, C /opaque, C /opaque/a, D /opaque/b"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}
