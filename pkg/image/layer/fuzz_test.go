package layer

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Whatever the bytes are, nothing outside of the layer changes.
func FuzzUnpack(f *testing.F) {
	needRoot(f)
	for _, seed := range [][]tar.Header{
		{dir("a"), file("a/b", "content"), symlink("l", "../outside"), file("l/x", "")},
		{hardlink("a", "../outside/secret"), file("a", "x")},
		{symlink("a", ".."), dir("a/outside"), file("a/outside/secret", "x")},
		{file("a/.wh.b", ""), file("a/.wh..wh..opq", ""), dir("a/b")},
	} {
		f.Add(archive(f, seed...))
	}
	f.Fuzz(func(t *testing.T, tarball []byte) {
		root, outside := jail(t)
		_, _ = Unpack(context.Background(), bytes.NewReader(tarball), root, Limits{Bytes: 1 << 20, Entries: 200})
		checkOutside(t, outside)
	})
}

// Mutated bytes seldom get past a tar's checksums. Here each byte is an
// entry, or half of one, made of the names that have hurt others.
func FuzzEntries(f *testing.F) {
	needRoot(f)
	types := []byte{tar.TypeDir, tar.TypeReg, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo}
	names := []string{
		"a", "b", "a/b", "a/b/c", "l", "l/secret", "l/new", "../outside/secret", "/a", "a/../b", ".", "outside", "outside/secret",
		".wh.a", "a/.wh.b", "a/.wh..wh..opq", "l/.wh.secret", "l/.wh..wh..opq", "a/l", "a/l/secret",
	}
	targets := []string{"a", "b", "a/b", "l", "..", "../outside", "../outside/secret", "/", "/a", "/../outside", ".", "l/secret", "a/l", "/proc/self/cwd", "../../outside"}
	f.Add([]byte{2, 4, 5, 1, 6, 0, 1, 5, 0})
	f.Add([]byte{2, 4, 6, 3, 0, 3, 1, 0, 0})
	f.Fuzz(func(t *testing.T, program []byte) {
		var headers []tar.Header
		for ; len(program) >= 3 && len(headers) < 30; program = program[3:] {
			h := tar.Header{Typeflag: types[int(program[0])%len(types)], Name: names[int(program[1])%len(names)], Mode: 0o777, Uid: 5}
			switch h.Typeflag {
			case tar.TypeReg:
				h.Uname, h.Size = "x", 1
			case tar.TypeSymlink, tar.TypeLink:
				h.Linkname = targets[int(program[2])%len(targets)]
			}
			headers = append(headers, h)
		}
		root, outside := jail(t)
		// Refused entries are skipped, so that the rest is tried too.
		for i := 0; i < len(headers); {
			n, err := unpackSome(t, root, headers[i:])
			if err == nil {
				break
			}
			i += n
		}
		checkOutside(t, outside)
	})
}

// unpackSome tells how many entries were read when it stopped.
func unpackSome(t testing.TB, dir string, headers []tar.Header) (int, error) {
	used, err := Unpack(context.Background(), bytes.NewReader(archive(t, headers...)), dir, Limits{Bytes: 1 << 20, Entries: 200})
	return int(max(used.Entries, 1)), err
}

func TestDecompressReadsEveryKind(t *testing.T) {
	const want = "some content, some content, some content"
	for kind, program := range map[Compression][]string{
		Plain: {"cat"}, Gzip: {"gzip", "-c"}, Zstd: {"zstd", "-qc"}, Bzip2: {"bzip2", "-c"}, Xz: {"xz", "-c"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			if kind == Zstd && decoders[Zstd] == nil { // package codec's, which imports this one
				decoders[Zstd] = Through(func() (string, error) { return exec.LookPath("zstd") }, "-dqc")
				defer delete(decoders, Zstd)
			}
			if _, err := exec.LookPath(program[0]); err != nil {
				t.Skipf("needs the %s program", program[0])
			}
			cmd := exec.Command(program[0], program[1:]...)
			cmd.Stdin = strings.NewReader(want)
			packed, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			r, got, err := Decompress(context.Background(), bytes.NewReader(packed))
			if err != nil || got != kind {
				t.Fatalf("seen as %s, %v", got, err)
			}
			var out bytes.Buffer
			if _, err := out.ReadFrom(r); err != nil || out.String() != want {
				t.Errorf("got %q, %v", &out, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			if kind == Plain {
				return
			}
			r, _, err = Decompress(context.Background(), bytes.NewReader(packed[:len(packed)-6]))
			if err == nil {
				_, err = new(bytes.Buffer).ReadFrom(r)
				_ = r.Close()
			}
			if err == nil {
				t.Error("a truncated stream read without an error")
			}
		})
	}
}

func TestXzMissingIsSaid(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, kind, err := Decompress(context.Background(), bytes.NewReader([]byte{0xfd, '7', 'z', 'X', 'Z', 0, 0}))
	if kind != Xz || err == nil || !strings.Contains(err.Error(), "xz-utils") {
		t.Errorf("%s: %v", kind, err)
	}
}

func BenchmarkExtractAlpine(b *testing.B) {
	needRoot(b)
	path := os.Getenv("MINICTR_TEST_IMAGES") + "/alpine-minirootfs-3.20.3-x86_64.tar.gz"
	tarball, err := os.ReadFile(path)
	if err != nil {
		b.Skip("needs MINICTR_TEST_IMAGES with an Alpine root file system: ", err)
	}
	b.SetBytes(int64(len(tarball)))
	for b.Loop() {
		if _, err := Extract(context.Background(), bytes.NewReader(tarball), b.TempDir(), Promise{}, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
