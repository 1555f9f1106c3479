package merged

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// layers makes directories from lines such as "etc/passwd=root", "etc/", "wh
// etc/motd", "opaque etc", "link a -> /b".
func layers(t *testing.T, top ...[]string) *View {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("whiteouts (mknod) and trusted attributes need root")
	}
	var dirs []string
	for _, lines := range top {
		dir := t.TempDir()
		for _, line := range lines {
			if err := layerEntry(dir, line); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		dirs = append(dirs, dir)
	}
	v, err := Open(dirs...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func layerEntry(dir, line string) error {
	at := func(name string) string {
		p := filepath.Join(dir, name)
		_ = os.MkdirAll(filepath.Dir(p), 0o755)
		return p
	}
	if rest, ok := strings.CutPrefix(line, "wh "); ok {
		return unix.Mknod(at(rest), unix.S_IFCHR, 0)
	}
	if rest, ok := strings.CutPrefix(line, "opaque "); ok {
		if err := os.MkdirAll(at(rest), 0o755); err != nil {
			return err
		}
		return unix.Setxattr(at(rest), "trusted.overlay.opaque", []byte("y"), 0)
	}
	if rest, ok := strings.CutPrefix(line, "fifo "); ok {
		return unix.Mkfifo(at(rest), 0o600)
	}
	if rest, ok := strings.CutPrefix(line, "link "); ok {
		name, target, _ := strings.Cut(rest, " -> ")
		return os.Symlink(target, at(name))
	}
	if strings.HasSuffix(line, "/") {
		return os.MkdirAll(at(line), 0o755)
	}
	name, content, _ := strings.Cut(line, "=")
	return os.WriteFile(at(name), []byte(content), 0o640)
}

func TestReadFileFollowsOverlayRules(t *testing.T) {
	v := layers(t,
		[]string{"a=top", "wh gone", "opaque shut", "shut/new=1", "merged/x=1", "file=now a file", "link up -> /low/deep"},
		[]string{"a=middle", "low/deep=found", "merged/y=2", "wh merged/z", "file/inside=hidden"},
		[]string{"gone=secret", "shut/old=2", "merged/z=3", "merged/w=4", "b=bottom", "low/other=x"},
	)
	for path, want := range map[string]string{
		"/a": "top", "b": "bottom", "/shut/new": "1", "/merged/x": "1", "/merged/y": "2", "/merged/w": "4",
		"/up": "found", "/low/../a": "top", "/../../a": "top", "//low//./deep": "found",
	} {
		if got, err := v.ReadFile(path, 100); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"/gone", "/shut/old", "/merged/z", "/none", "/none/x"} {
		if got, err := v.ReadFile(path, 100); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got %q, %v; want it not to exist", path, got, err)
		}
	}
	if _, err := v.ReadFile("/file/inside", 100); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
	if _, err := v.ReadFile("/b", 5); !errors.Is(err, unix.EFBIG) {
		t.Errorf("longer than the limit: %v", err)
	}
}

func TestNoLinkLeadsOut(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("host"), 0o644); err != nil {
		t.Fatal(err)
	}
	v := layers(t, []string{
		"link abs -> " + outside, "link rel -> ../../../../../../../../.." + outside,
		"link dir -> " + filepath.Dir(outside), "link loop -> loop", "fifo pipe", "link proc -> /proc/self/root" + outside,
	})
	for _, path := range []string{"/abs", "/rel", "/dir/secret", "/loop", "/pipe", "/proc", "/" + strings.Repeat("../", 20) + outside} {
		if got, err := v.ReadFile(path, 100); err == nil {
			t.Errorf("%s: read %q", path, got)
		}
	}
}

func TestCopyDirKeepsWhatTheImageHas(t *testing.T) {
	v := layers(t,
		[]string{"data/top=1", "wh data/gone", "opaque data/sub", "data/sub/new=2"},
		[]string{"data/top=0", "data/gone=x", "data/low=3", "data/sub/old=4", "link data/link -> /etc/passwd", "fifo data/pipe"},
	)
	for _, e := range []struct {
		layer int
		path  string
		do    func(string) error
	}{
		{1, "data/low", func(p string) error { return os.Link(p, filepath.Join(filepath.Dir(p), "low2")) }},
		{1, "data/low", func(p string) error { return os.Chown(p, 1000, 2000) }},
		{1, "data/low", func(p string) error { return unix.Chmod(p, 0o4755) }},
		{1, "data/low", func(p string) error { return unix.Setxattr(p, "user.k", []byte("v"), 0) }},
		{0, "data", func(p string) error { return unix.Chmod(p, 0o1777) }},
	} {
		if err := e.do(filepath.Join(procPath(v.layers[e.layer]), e.path)); err != nil {
			t.Fatal(err)
		}
	}
	dst := t.TempDir()
	if ok, err := v.CopyDir("/data", dst); !ok || err != nil {
		t.Fatalf("CopyDir: %v, %v", ok, err)
	}
	var got []string
	err := filepath.WalkDir(dst, func(p string, d fs.DirEntry, err error) error {
		got = append(got, strings.TrimPrefix(p, dst))
		return err
	})
	want := []string{"", "/link", "/low", "/low2", "/pipe", "/sub", "/sub/new", "/top"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("copied %q, %v; want %q", got, err, want)
	}
	var low, low2, top unix.Stat_t
	err = errors.Join(unix.Lstat(dst+"/low", &low), unix.Lstat(dst+"/low2", &low2), unix.Lstat(dst, &top))
	if err != nil || low.Ino != low2.Ino || low.Uid != 1000 || low.Gid != 2000 || low.Mode&0o7777 != 0o4755 || top.Mode&0o7777 != 0o1777 {
		t.Errorf("attributes are lost: %v, %+v, %+v", err, low, top)
	}
	value := make([]byte, 10)
	if n, err := unix.Getxattr(dst+"/low", "user.k", value); err != nil || string(value[:n]) != "v" {
		t.Errorf("extended attribute: %q, %v", value[:max(n, 0)], err)
	}
	if _, err := unix.Getxattr(dst+"/sub", "trusted.overlay.opaque", value); err != unix.ENODATA {
		t.Errorf("overlayfs's own mark was copied: %v", err)
	}
}

func TestCopyDirOfNothingDoesNothing(t *testing.T) {
	v := layers(t, []string{"file=x"})
	for _, path := range []string{"/none", "/file", "/file/below"} {
		if ok, err := v.CopyDir(path, t.TempDir()); ok || err != nil {
			t.Errorf("%s: %v, %v", path, ok, err)
		}
	}
}
