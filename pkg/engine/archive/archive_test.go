package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func rootOf(t *testing.T, dir string) int {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

// tree lists what is below a directory: type, mode, content or target.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%s %s", rel, info.Mode())
		if target, err := os.Readlink(path); err == nil {
			fmt.Fprintf(&b, " %s", target)
		} else if info.Mode().IsRegular() {
			text, _ := os.ReadFile(path)
			fmt.Fprintf(&b, " %s %d", text, info.ModTime().Unix())
		}
		b.WriteString("\n")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestATreeComesOutAsItWentIn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("device nodes need root")
	}
	from, to := t.TempDir(), t.TempDir()
	write(t, from+"/x/file", "text")
	write(t, from+"/x/deep/er/file", "other")
	for _, err := range []error{
		os.Link(from+"/x/file", from+"/x/same"), os.Symlink("file", from+"/x/link"), unix.Mkfifo(from+"/x/fifo", 0o600),
		unix.Mknod(from+"/x/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))), os.Chmod(from+"/x/deep", 0o1777),
		unix.Setxattr(from+"/x/file", "user.note", []byte("kept"), 0), os.Chmod(from+"/x/same", 0o4755),
	} {
		if err != nil && err != unix.ENOTSUP {
			t.Fatal(err)
		}
	}
	var stream bytes.Buffer
	w := NewWriter(t.Context(), &stream)
	if err := w.Tree(rootOf(t, from), "x", "x"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Extract(t.Context(), &stream, rootOf(t, to), "/", Options{}); err != nil {
		t.Fatal(err)
	}
	if got, want := tree(t, to), tree(t, from); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	a, _ := os.Stat(to + "/x/file")
	b, _ := os.Stat(to + "/x/same")
	if !os.SameFile(a, b) {
		t.Error("two names of one file have become two files")
	}
	value := make([]byte, 10)
	if n, err := unix.Getxattr(to+"/x/file", "user.note", value); err != unix.ENOTSUP && string(value[:max(n, 0)]) != "kept" {
		t.Errorf("extended attribute: %q, %v", value[:max(n, 0)], err)
	}
}

// stream is a tar of entries: a trailing slash makes a directory, "a -> b" a
// link, "a => b" a hard link.
func stream(t *testing.T, entries ...string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e, Typeflag: tar.TypeReg, Mode: 0o644, Size: 3}
		if name, target, ok := strings.Cut(e, " -> "); ok {
			*h = tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}
		} else if name, target, ok := strings.Cut(e, " => "); ok {
			*h = tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target}
		} else if strings.HasSuffix(e, "/") {
			*h = tar.Header{Name: e, Typeflag: tar.TypeDir, Mode: 0o755}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			fmt.Fprint(w, "new")
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestAnArchiveStaysInItsRoot(t *testing.T) {
	for _, entries := range [][]string{
		{"../out/x"},
		{"a -> ../out", "a/x"},
		{"a -> /out", "a/x"},
		{"a -> ../../../../../../../../../../../../../../../../../out", "a/b/x"},
		{"a => ../out/old"},
		{"a -> ../out/old", "a"},
		{"a -> ../out/old", "b => a", "b"},
		{"a/", "a -> ../out", "a/x"},
		{"a -> /proc/self/root", "a/x"},
	} {
		top := t.TempDir()
		write(t, top+"/out/old", "old")
		before := tree(t, top+"/out")
		if err := os.Mkdir(top+"/root", 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := Extract(t.Context(), stream(t, entries...), rootOf(t, top+"/root"), "/", Options{
			Owner: &Owner{os.Getuid(), os.Getgid()}, Replace: true,
		})
		if after := tree(t, top+"/out"); after != before {
			t.Errorf("%q (%v) changed what is outside:\n%s", entries, err, after)
		}
	}
}

func TestAFileTakesADirectorysPlaceOnlyIfItMay(t *testing.T) {
	me := &Owner{os.Getuid(), os.Getgid()}
	for _, replace := range []bool{false, true} {
		for _, test := range []struct{ there, entry string }{{"a/b", "a"}, {"a", "a/"}} {
			dir := t.TempDir()
			write(t, filepath.Join(dir, test.there), "old")
			_, err := Extract(t.Context(), stream(t, test.entry), rootOf(t, dir), "/", Options{Owner: me, Replace: replace})
			if (err == nil) != replace {
				t.Errorf("%s over %s, replace %t: %v", test.entry, test.there, replace, err)
			}
		}
	}
}

// TestASwappedDirectoryLeadsNowhere is CVE-2018-15664: somebody exchanges a
// directory for a link to the outside, over and over, while files are written
// to it and read from it.
func TestASwappedDirectoryLeadsNowhere(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "root")
	write(t, top+"/out/secret", "secret")
	write(t, root+"/dir/file", "mine")
	if err := os.Symlink(top+"/out", root+"/link"); err != nil {
		t.Fatal(err)
	}
	before := tree(t, top+"/out")
	fd := rootOf(t, root)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int)
	go func() {
		swaps := 0
		for ; ctx.Err() == nil; swaps++ {
			_ = unix.Renameat2(fd, "dir", fd, "link", unix.RENAME_EXCHANGE)
		}
		done <- swaps
	}()
	in, out := 0, 0
	for range 2000 {
		if _, err := Extract(t.Context(), stream(t, "file", "sub/file"), fd, "dir", Options{Owner: &Owner{os.Getuid(), os.Getgid()}}); err == nil {
			in++
		}
		var b bytes.Buffer
		w := NewWriter(t.Context(), &b)
		if source, err := InRoot(fd, "dir", unix.O_PATH); err == nil {
			if err := w.Below(source, "dir"); err == nil {
				out++
			}
			_ = unix.Close(source)
		}
		if strings.Contains(b.String(), "secret") {
			t.Fatal("the secret got out")
		}
	}
	stop()
	if swaps := <-done; swaps < 100 || in == 0 || out == 0 {
		t.Errorf("%d swaps, %d writes and %d reads: this tested nothing", swaps, in, out)
	}
	if after := tree(t, top+"/out"); after != before {
		t.Errorf("outside:\n%s", after)
	}
}

func TestADirectoryThatGoesMeanwhileIsNoError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	fd := rootOf(t, dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := NewWriter(t.Context(), &out).Below(fd, "gone"); err != nil {
		t.Error(err)
	}
}
