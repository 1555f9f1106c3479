package kernel

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAFileIsLoadedAsItWasStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{3, 0, 4096, 4095, 100_000, 16384} { // also into a longer file
		want := bytes.Repeat([]byte{byte(size), 7, '\n'}, size)[:size]
		if err := Store(path, want, 0o640); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back as %d: %v", size, len(got), err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640&^fs.FileMode(umask()) {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func umask() int {
	mask := unix.Umask(0)
	unix.Umask(mask)
	return mask
}

func TestAFileOfProcIsLoadedWhole(t *testing.T) {
	got, err := Load("/proc/self/limits")
	want, _ := os.ReadFile("/proc/self/limits")
	if err != nil || !bytes.Equal(got, want) || len(want) == 0 {
		t.Errorf("%d of %d bytes: %v", len(got), len(want), err)
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	var p *fs.PathError
	if _, err := Load("/nonexistent/file"); !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &p) || p.Path != "/nonexistent/file" {
		t.Errorf("load: %v", err)
	}
	if err := Store("/nonexistent/file", nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("store: %v", err)
	}
	if _, err := Load("/"); !errors.Is(err, unix.EISDIR) {
		t.Errorf("load a directory: %v", err)
	}
	if err := Store("/dev/full", []byte("x"), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("store on a full device: %v", err)
	}
}

func TestFilesOfAnyLengthAreReadWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, n := range []int{0, 1, 2047, 2048, 2049, 100_000} {
		want := bytes.Repeat([]byte("x"), n)
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Load(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("of %d bytes %d were read, %v", n, len(got), err)
		}
	}
	if _, err := Load(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Load(filepath.Dir(path)); !errors.Is(err, unix.EISDIR) {
		t.Error(err)
	}
}
