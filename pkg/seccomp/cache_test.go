package seccomp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const small = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}`

func compiled(t *testing.T, text string) Filter {
	t.Helper()
	var p specs.LinuxSeccomp
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	f, err := Compile(&p, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheCacheGivesBackWhatWasCompiled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "seccomp")
	want := compiled(t, small)
	for range 2 {
		got, err := Cached(dir, []byte(small), "amd64")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	// Proof that the second answer was read: change the remembered one.
	path := filepath.Join(dir, DigestOf([]byte(small), "amd64")+".bpf")
	other := want
	other.Flags = 0
	if err := store(path, other.encode()); err != nil {
		t.Fatal(err)
	}
	if got, err := Cached(dir, []byte(small), "amd64"); err != nil || got.Flags != 0 {
		t.Errorf("compiled again: %+v, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestABrokenCacheFileIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, DigestOf([]byte(small), "amd64")+".bpf")
	want := compiled(t, small)
	whole := want.encode()
	flipped := append([]byte(nil), whole...)
	flipped[12] ^= 1
	for name, content := range map[string][]byte{
		"empty": {}, "cut": whole[:len(whole)-1], "half": whole[:len(whole)/2], "longer": append(whole, 0), "a bit": flipped, "checksum only": whole[len(whole)-40:],
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Cached(dir, []byte(small), "amd64")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != string(whole) {
			t.Errorf("%s: the file was not made again (%v)", name, err)
		}
	}
}

func FuzzOnlyWholeFilesAreTaken(f *testing.F) {
	f.Add(Filter{Program: []unix.SockFilter{{Code: 6, K: 7}}, Flags: 4}.encode())
	f.Add([]byte("minictr"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if filter, ok := decode(b); ok && (filter.Empty() || string(filter.encode()) != string(b)) {
			t.Errorf("%x was taken for %+v", b, filter)
		}
	})
}

func TestManyMayFillTheCacheAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "seccomp")
	want := compiled(t, small)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				if got, err := Cached(dir, []byte(small), "amd64"); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestACacheThatCannotBeWrittenIsNoError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Cached(filepath.Join(file, "seccomp"), []byte(small), "amd64"); err != nil || f.Empty() {
		t.Errorf("%v, %v", f, err)
	}
}

func TestBadProfilesAreNotCached(t *testing.T) {
	dir := t.TempDir()
	for _, bad := range []string{"", "{", `{"defaultAction": "SCMP_ACT_MAYBE"}`, "null", "{}"} {
		f, err := Cached(dir, []byte(bad), "amd64")
		if nothing := bad == "null" || bad == "{}"; !f.Empty() || (err == nil) != nothing {
			t.Errorf("%s: %v, %v", bad, f, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestDigestsTellProfilesAndMachinesApart(t *testing.T) {
	seen := map[string]bool{}
	for _, text := range []string{small, small + " ", ""} {
		for _, goarch := range []string{"amd64", "arm64"} {
			seen[DigestOf([]byte(text), goarch)] = true
		}
	}
	if len(seen) != 6 {
		t.Errorf("%d digests of 6", len(seen))
	}
}

// TestTheCacheVersionChangesWithTheCompiler fails when known profiles compile
// to other programs than before: then programs remembered by an older minictr
// are wrong. Raise cacheVersion, and write the new sum here.
func TestTheCacheVersionChangesWithTheCompiler(t *testing.T) {
	const version, sum = "1", "dc8147ae7f01172cdadcadff8ab01ede67b28c3e02dd460d221958761aeb46bd"
	h := sha256.New()
	for _, goarch := range []string{"amd64", "arm64"} {
		p := specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: arches[goarch]}
		for i, row := range syscallTable {
			block := specs.LinuxSyscall{Names: []string{row.name}, Action: allActions[i%len(allActions)]}
			if i%9 == 0 {
				block.Args = []specs.LinuxSeccompArg{{Index: uint(i % 6), Op: allOps[i/9%len(allOps)], Value: edges[i%len(edges)], ValueTwo: 3}}
			}
			p.Syscalls = append(p.Syscalls, block)
		}
		f, err := Compile(&p, goarch)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(f.encode())
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum || version != cacheVersion {
		t.Errorf("version %s with sum %s; remembered were %s and %s", cacheVersion, got, version, sum)
	}
}
