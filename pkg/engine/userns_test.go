package engine

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"minictr/pkg/engine/bundle"
)

func TestSubordinateIDsAreReadFromTheHostsFiles(t *testing.T) {
	pool, taken, err := parsePool([]byte("ann:100000:65536\nminictr:200000:70000\nminictr:5:5\n"), []byte("minictr:300000:65536\nbad:x:1\n"))
	if want := (bundle.IDRange{UID: 200000, GID: 300000, Size: 65536}); err != nil || pool != want || len(taken) != 0 {
		t.Errorf("got %+v, %v, %v; want %+v", pool, taken, err, want)
	}
	pool, taken, err = parsePool([]byte("ann:100000:65536\nroot:1900000000:100\n"), nil)
	if err != nil || pool != defaultIDs || len(taken) != 2 {
		t.Errorf("without an entry: %+v, %v, %v", pool, taken, err)
	}
	if _, _, err = parsePool([]byte("minictr:200000:65536\n"), nil); err == nil {
		t.Error("users without groups are accepted")
	}
}

func TestFreeIDsOverlapWithNobodys(t *testing.T) {
	pool := bundle.IDRange{UID: 1000, GID: 5000, Size: 100}
	taken := []bundle.IDRange{{UID: 1000, GID: 5000, Size: 10}, {UID: 1030, GID: 9, Size: 5}, {UID: 9, GID: 5040, Size: 20}, {UID: 900, GID: 4900, Size: 101}}
	for _, c := range []struct {
		size, uid uint32
		ok        bool
	}{{5, 1010, true}, {20, 1010, true}, {21, 1060, true}, {40, 1060, true}, {41, 0, false}} {
		got, ok := freeIDs(pool, taken, c.size)
		if ok != c.ok || ok && (got.UID != c.uid || got.GID != c.uid+4000 || got.Size != c.size) {
			t.Errorf("%d ids: %+v, %v; want from %d", c.size, got, ok, c.uid)
		}
	}
	top := bundle.IDRange{UID: 1<<32 - 10, GID: 0, Size: 10}
	if got, ok := freeIDs(top, nil, 10); !ok || got.UID != top.UID {
		t.Errorf("at the end of all numbers: %+v, %v", got, ok)
	}
}

func TestContainersClaimDifferentIDsAtTheSameTime(t *testing.T) {
	containers := t.TempDir()
	var all sync.WaitGroup
	claims := make([]*bundle.IDRange, 20)
	for i := range claims {
		dir := filepath.Join(containers, newID())
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			var err error
			if claims[i], err = claimIDs(dir, 65536); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	seen := make(map[uint32]bool)
	for _, c := range claims {
		if c == nil || seen[c.UID] {
			t.Fatalf("claimed twice, or not: %+v", c)
		}
		seen[c.UID] = true
	}
	gone, _ := os.ReadDir(containers)
	if err := os.RemoveAll(filepath.Join(containers, gone[0].Name())); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(containers, "next")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if c, err := claimIDs(dir, 65536); err != nil || !seen[c.UID] {
		t.Errorf("what a removed container had is not used again: %+v, %v", c, err)
	}
}
