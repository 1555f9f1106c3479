package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: owners, devices and trusted.* attributes")
	}
}

// Short forms of headers.
func dir(name string) tar.Header { return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755} }

func file(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), Uname: content}
}

func symlink(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
}

func hardlink(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}
}

// archive writes a tar; file() hides a file's content in Uname.
func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := h.Uname
		h.Uname = ""
		if err := w.WriteHeader(&h); err != nil {
			t.Fatalf("header %q: %v", h.Name, err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// jail makes a directory for unpacking with a sentinel outside of it.
func jail(t testing.TB) (inside, outside string) {
	t.Helper()
	top := t.TempDir()
	inside, outside = filepath.Join(top, "layer"), filepath.Join(top, "outside")
	for _, d := range []string{inside, outside} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return inside, outside
}

func unpack(t testing.TB, dir string, headers ...tar.Header) error {
	t.Helper()
	_, err := Unpack(context.Background(), bytes.NewReader(archive(t, headers...)), dir, Limits{})
	return err
}

func TestUnpackPutsBackEverythingAboutAnEntry(t *testing.T) {
	needRoot(t)
	root, _ := jail(t)
	when := time.Unix(1_600_000_000, 123_000_000)
	suid := file("bin/su", "#!")
	suid.Mode, suid.Uid, suid.Gid, suid.ModTime, suid.Format = 0o4755, 1000, 2000, when, tar.FormatPAX
	capability := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	suid.PAXRecords = map[string]string{
		"SCHILY.xattr.security.capability":       capability,
		"SCHILY.xattr.user.note":                 "hello",
		"SCHILY.xattr.trusted.overlay.redirect":  "/etc", // must not get through
		"SCHILY.xattr.trusted.overlay.whiteouts": "y",
	}
	tmp := dir("tmp/")
	tmp.Mode, tmp.ModTime, tmp.Format = 0o1777, when, tar.FormatPAX
	link := symlink("bin/sudo", "/bin/su")
	link.Uid, link.ModTime, link.Format = 7, when, tar.FormatPAX
	err := unpack(t, root, dir("./"), tmp, file("tmp/x", ""), suid, hardlink("bin/su2", "bin/su"), link,
		tar.Header{Typeflag: tar.TypeFifo, Name: "run/pipe", Mode: 0o620},
		tar.Header{Typeflag: tar.TypeChar, Name: "dev/null", Mode: 0o666, Devmajor: 1, Devminor: 3},
		tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "c"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	type want struct {
		mode     uint32
		uid, gid uint32
		mtime    time.Time
	}
	for name, w := range map[string]want{
		"bin/su":   {unix.S_IFREG | 0o4755, 1000, 2000, when},
		"bin/su2":  {unix.S_IFREG | 0o4755, 1000, 2000, when},
		"bin":      {unix.S_IFDIR | 0o755, 0, 0, time.Time{}},
		"tmp":      {unix.S_IFDIR | 0o1777, 0, 0, when},
		"bin/sudo": {unix.S_IFLNK | 0o777, 7, 0, when},
		"run/pipe": {unix.S_IFIFO | 0o620, 0, 0, time.Time{}},
		"dev/null": {unix.S_IFCHR | 0o666, 0, 0, time.Time{}},
	} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(root, name), &st); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if st.Mode != w.mode || st.Uid != w.uid || st.Gid != w.gid {
			t.Errorf("%s: mode %o owner %d:%d, want %o %d:%d", name, st.Mode, st.Uid, st.Gid, w.mode, w.uid, w.gid)
		}
		if got := time.Unix(st.Mtim.Unix()); !w.mtime.IsZero() && !got.Equal(w.mtime) {
			t.Errorf("%s: modified %v, want %v", name, got, w.mtime)
		}
		if name == "bin/su2" && st.Nlink != 2 {
			t.Errorf("bin/su2 has %d links, want 2", st.Nlink)
		}
		if name == "dev/null" && st.Rdev != unix.Mkdev(1, 3) {
			t.Errorf("dev/null is device %x", st.Rdev)
		}
	}
	su := filepath.Join(root, "bin/su")
	if got := xattr(t, su, "security.capability"); got != capability {
		t.Errorf("capability is %q", got)
	}
	if got := xattr(t, su, "user.note"); got != "hello" {
		t.Errorf("user.note is %q", got)
	}
	if n, err := unix.Lgetxattr(su, "trusted.overlay.redirect", nil); err == nil {
		t.Errorf("a layer set trusted.overlay.redirect (%d bytes)", n)
	}
}

func xattr(t testing.TB, path, key string) string {
	t.Helper()
	buf := make([]byte, 256)
	n, err := unix.Lgetxattr(path, key, buf)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return string(buf[:n])
}

// Each archive tries to reach ../outside/secret, or to put something beside
// it. wantErr nil: the entry is taken, inside.
func TestNoEntryLeavesTheLayer(t *testing.T) {
	needRoot(t)
	for name, tc := range map[string]struct {
		entries []tar.Header
		refused bool
		inside  string // must exist in the layer afterwards
	}{
		"dot dot":                   {[]tar.Header{file("../outside/new", "x")}, true, ""},
		"dot dot in the middle":     {[]tar.Header{file("a/../../outside/new", "x")}, true, ""},
		"only dot dot":              {[]tar.Header{dir("..")}, true, ""},
		"absolute dot dot":          {[]tar.Header{file("/../outside/new", "x")}, true, ""},
		"harmless dot dot":          {[]tar.Header{file("a/../b", "x")}, false, "b"},
		"absolute":                  {[]tar.Header{file("//etc/new", "x")}, false, "etc/new"},
		"absolute link parent":      {[]tar.Header{dir("tmp"), symlink("a", "/tmp"), file("a/new", "x")}, false, "tmp/new"},
		"relative link parent":      {[]tar.Header{dir("outside"), symlink("a", "../../../outside"), file("a/new", "x")}, false, "outside/new"},
		"link to nowhere":           {[]tar.Header{symlink("a", "../outside"), file("a/new", "x")}, true, ""},
		"link chain":                {[]tar.Header{symlink("a", "b"), symlink("b", "c/d"), symlink("c", ".."), file("a/new", "x")}, true, ""},
		"link loop":                 {[]tar.Header{symlink("a", "b"), symlink("b", "a"), file("a/new", "x")}, true, ""},
		"file over link":            {[]tar.Header{symlink("a", "../outside/secret"), file("a", "x")}, false, "a"},
		"directory over link":       {[]tar.Header{symlink("a", "../outside"), dir("a"), file("a/new", "x")}, false, "a/new"},
		"remembered parent swapped": {[]tar.Header{dir("a"), file("a/1", ""), symlink("a", "../outside"), file("a/new", "x")}, true, ""},
		"mode through link":         {[]tar.Header{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "../outside/secret", Mode: 0o777, Uid: 5}}, false, "a"},
		"hard link out":             {[]tar.Header{hardlink("a", "../outside/secret")}, true, ""},
		"hard link absolute":        {[]tar.Header{hardlink("a", "/etc/passwd")}, true, ""},
		"hard link through link":    {[]tar.Header{symlink("l", "../outside"), hardlink("a", "l/secret")}, true, ""},
		"hard link to link, write": {[]tar.Header{
			symlink("l", "../outside/secret"), hardlink("a", "l"), file("a", "x"),
		}, false, "a"},
		"hard link to the top":       {[]tar.Header{hardlink("a", ".")}, true, ""},
		"hard link to directory":     {[]tar.Header{dir("d"), hardlink("a", "d")}, true, ""},
		"whiteout of the parent":     {[]tar.Header{file("d/.wh...", "")}, true, ""},
		"whiteout of itself":         {[]tar.Header{file("d/.wh..", "")}, true, ""},
		"whiteout of nothing":        {[]tar.Header{file("d/.wh.", "")}, true, ""},
		"whiteout through link":      {[]tar.Header{symlink("l", "../outside"), file("l/.wh.secret", "")}, true, ""},
		"opaque through link":        {[]tar.Header{symlink("l", "../outside"), file("l/.wh..wh..opq", "")}, true, ""},
		"magic link":                 {[]tar.Header{symlink("p", "/proc/self/cwd"), file("p/new", "x")}, true, ""},
		"parent is a file":           {[]tar.Header{file("a", "x"), file("a/b", "x")}, true, ""},
		"top is a file":              {[]tar.Header{file(".", "x")}, true, ""},
		"top is a link":              {[]tar.Header{symlink("./", "../outside")}, true, ""},
		"device out of range":        {[]tar.Header{{Typeflag: tar.TypeChar, Name: "d", Devmajor: 1 << 20}}, true, ""},
		"owner out of range":         {[]tar.Header{{Typeflag: tar.TypeDir, Name: "d", Uid: 1 << 33, Format: tar.FormatPAX}}, true, ""},
		"unknown type":               {[]tar.Header{{Typeflag: 'Z', Name: "d"}}, true, ""},
		"component too long":         {[]tar.Header{file(strings.Repeat("n", 300), "x")}, true, ""},
		"whiteout hides link target": {[]tar.Header{file(".wh.a", ""), hardlink("b", "a")}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root, outside := jail(t)
			err := unpack(t, root, tc.entries...)
			if (err != nil) != tc.refused {
				t.Errorf("error %v, want refused %v", err, tc.refused)
			}
			if tc.inside != "" {
				if _, err := os.Lstat(filepath.Join(root, tc.inside)); err != nil {
					t.Error(err)
				}
			}
			checkOutside(t, outside)
		})
	}
}

func checkOutside(t testing.TB, outside string) {
	t.Helper()
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 {
		t.Errorf("outside now holds %v (%v)", entries, err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(outside, "secret"), &st); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(outside, "secret"))
	if err != nil || string(content) != "secret" || st.Mode&0o7777 != 0o600 || st.Uid != uint32(os.Getuid()) || st.Nlink != 1 {
		t.Errorf("the secret outside is now %q, mode %o, owner %d, %d links", content, st.Mode, st.Uid, st.Nlink)
	}
	if parent, err := os.ReadDir(filepath.Dir(outside)); err != nil || len(parent) != 2 {
		t.Errorf("beside the layer is now %v (%v)", parent, err)
	}
}

func TestEscapeIsItsOwnError(t *testing.T) {
	root, _ := jail(t)
	for _, h := range []tar.Header{file("../x", ""), hardlink("x", "../y")} {
		if err := unpack(t, root, h); !errors.Is(err, ErrEscape) {
			t.Errorf("%s: %v", h.Name, err)
		}
	}
}

func TestLaterEntryReplacesEarlierOne(t *testing.T) {
	needRoot(t)
	for name, tc := range map[string]struct {
		entries []tar.Header
		path    string
		want    fs.FileMode
	}{
		"file by file":           {[]tar.Header{file("a", "1"), file("a", "22")}, "a", 0},
		"file by directory":      {[]tar.Header{file("a", "1"), dir("a")}, "a", fs.ModeDir},
		"full directory by file": {[]tar.Header{dir("a"), dir("a/b"), file("a/b/c", "1"), file("a", "22")}, "a", 0},
		"directory stays":        {[]tar.Header{dir("a"), file("a/c", "1"), dir("a")}, "a/c", 0},
		"file by link":           {[]tar.Header{file("a", "1"), symlink("a", "b")}, "a", fs.ModeSymlink},
		"file by its own link":   {[]tar.Header{file("a", "22"), hardlink("a", "a")}, "a", 0},
		"directory by link, then through it": {[]tar.Header{
			dir("a"), file("a/1", "x"), dir("b"), symlink("a", "b"), file("a/2", "22"),
		}, "b/2", 0},
	} {
		t.Run(name, func(t *testing.T) {
			root, _ := jail(t)
			if err := unpack(t, root, tc.entries...); err != nil {
				t.Fatal(err)
			}
			st, err := os.Lstat(filepath.Join(root, tc.path))
			if err != nil || st.Mode().Type() != tc.want {
				t.Fatalf("%s is %v (%v), want %v", tc.path, st, err, tc.want)
			}
			if tc.path == "a" && tc.want == 0 && st.Size() != 2 {
				t.Errorf("a has %d bytes, want the later entry's 2", st.Size())
			}
		})
	}
}

func TestUnpackKeepsToItsLimits(t *testing.T) {
	needRoot(t)
	tarball := archive(t, file("a", "12345"), file("b", "12345"), file("c", ""))
	for _, tc := range []struct {
		limits Limits
		ok     bool
	}{
		{Limits{Bytes: 10, Entries: 3}, true},
		{Limits{Bytes: 9, Entries: 3}, false},
		{Limits{Bytes: 10, Entries: 2}, false},
		{Limits{}, true},
	} {
		root, _ := jail(t)
		used, err := Unpack(context.Background(), bytes.NewReader(tarball), root, tc.limits)
		if tc.ok && (err != nil || used != Usage{Bytes: 10, Entries: 3}) {
			t.Errorf("%+v: used %+v, %v", tc.limits, used, err)
		}
		if !tc.ok && !errors.Is(err, ErrTooBig) {
			t.Errorf("%+v: %v, want ErrTooBig", tc.limits, err)
		}
	}
}

func TestAHeaderCannotClaimMoreThanTheDiskHas(t *testing.T) {
	needRoot(t)
	root, _ := jail(t)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "a", Size: 1 << 60, Format: tar.FormatPAX}); err != nil {
		t.Fatal(err)
	}
	if _, err := Unpack(context.Background(), &b, root, Limits{}); !errors.Is(err, ErrTooBig) {
		t.Errorf("%v, want ErrTooBig", err)
	}
}

func TestTruncatedTarIsAnError(t *testing.T) {
	needRoot(t)
	whole := archive(t, file("a", strings.Repeat("x", 2000)))
	for _, n := range []int{100, 600, 1500} {
		root, _ := jail(t)
		if _, err := Unpack(context.Background(), bytes.NewReader(whole[:n]), root, Limits{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func TestUnpackStopsWhenCancelled(t *testing.T) {
	root, _ := jail(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Unpack(ctx, bytes.NewReader(archive(t, file("a", "x"))), root, Limits{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
