package record

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFilesOfAnyLengthAreReadWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, n := range []int{0, 1, 2047, 2048, 2049, 100_000} {
		want := bytes.Repeat([]byte("x"), n)
		if err := os.WriteFile(path, want, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("of %d bytes %d were read, %v", n, len(got), err)
		}
	}
	if _, err := readFile(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := readFile(filepath.Dir(path)); !errors.Is(err, unix.EISDIR) {
		t.Error(err)
	}
}

func TestInParallelDoesEachOnce(t *testing.T) {
	for _, n := range []int{0, 1, 49, 5000} {
		done := make([]atomic.Int32, n)
		InParallel(n, func(i int) { done[i].Add(1) })
		for i := range done {
			if done[i].Load() != 1 {
				t.Fatalf("%d of %d was done %d times", i, n, done[i].Load())
			}
		}
	}
}
