package volume

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func use(t *testing.T, s *Store, name string) *Held {
	t.Helper()
	h, _, err := s.Use(Volume{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.lock.Close() })
	return h
}

func TestAVolumeIsMadeOnceByManyAtATime(t *testing.T) {
	s := Open(t.TempDir())
	var wg sync.WaitGroup
	results := make([]bool, 20)
	for i := range results {
		wg.Go(func() {
			h, made, err := s.Use(Volume{Name: "data"})
			if err != nil {
				t.Error(err)
				return
			}
			results[i] = made
			if err := os.WriteFile(filepath.Join(h.Data, "x"), nil, 0o600); err != nil {
				t.Error(err)
			}
			_ = h.Release()
		})
	}
	wg.Wait()
	makers := 0
	for _, made := range results {
		if made {
			makers++
		}
	}
	list, err := s.List()
	if makers != 1 || err != nil || len(list) != 1 || list[0].Name != "data" || list[0].Created.IsZero() {
		t.Errorf("%d made it; list %+v, %v", makers, list, err)
	}
	left, _ := os.ReadDir(s.dir)
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAHeldOrUsedVolumeIsNotRemoved(t *testing.T) {
	s := Open(t.TempDir())
	h := use(t, s, "data")
	if err := s.Remove("data", nil); !errors.Is(err, ErrInUse) {
		t.Errorf("removed a held volume: %v", err)
	}
	if err := h.Release(); err != nil {
		t.Fatal(err)
	}
	err := s.Remove("data", func(string) ([]string, error) { return []string{"web", "db"}, nil })
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "web, db") {
		t.Errorf("removed a used volume: %v", err)
	}
	if err := s.Remove("data", nil); err != nil {
		t.Error(err)
	}
	if _, err := s.Get("data"); !errors.Is(err, ErrNotFound) {
		t.Errorf("still there: %v", err)
	}
	if err := s.Remove("data", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if left, _ := os.ReadDir(s.dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestOnlyAnEmptyVolumeIsFilled(t *testing.T) {
	s := Open(t.TempDir())
	h := use(t, s, "data")
	put := func(text string) func(string) (bool, error) {
		return func(dir string) (bool, error) {
			return true, os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o600)
		}
	}
	for _, text := range []string{"first", "second"} {
		if err := h.Fill(put(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(h.Data, "file")); string(got) != "first" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAFilledVolumeStaysTheSameDirectory(t *testing.T) {
	s := Open(t.TempDir())
	h := use(t, s, "data")
	mounted, err := os.Open(h.Data) // as a container has it that was started a moment ago
	if err != nil {
		t.Fatal(err)
	}
	defer mounted.Close()
	write := func(dir, name, text string) error {
		return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)
	}
	err = h.Fill(func(dir string) (bool, error) {
		return true, errors.Join(write(h.Data, "both", "container's"), write(dir, "both", "image's"), write(dir, "other", "image's"), os.Chmod(dir, os.ModeSticky|0o777))
	})
	both, _ := os.ReadFile(filepath.Join(h.Data, "both"))
	other, _ := os.ReadFile(filepath.Join(h.Data, "other"))
	if err != nil || string(both) != "container's" || string(other) != "image's" || !same(mounted, h.Data) {
		t.Errorf("%v; %q, %q", err, both, other)
	}
	if info, err := mounted.Stat(); err != nil || info.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestAnInterruptedFillGoesOn(t *testing.T) {
	s := Open(t.TempDir())
	h := use(t, s, "data")
	if err := errors.Join(
		os.WriteFile(filepath.Join(h.Data, "moved"), nil, 0o600),
		os.Mkdir(h.beside(filledName), 0o755),
		os.WriteFile(filepath.Join(h.beside(filledName), "waits"), nil, 0o600),
	); err != nil {
		t.Fatal(err)
	}
	empty, err := h.Empty()
	if !empty || err != nil {
		t.Errorf("it counts as filled: %v", err)
	}
	if err := h.Fill(func(string) (bool, error) { panic("another copy") }); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(h.Data)
	if empty, _ := h.Empty(); len(entries) != 2 || empty || err != nil {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestAFailedFillLeavesTheVolumeEmpty(t *testing.T) {
	s := Open(t.TempDir())
	h := use(t, s, "data")
	boom := errors.New("boom")
	err := h.Fill(func(dir string) (bool, error) {
		_ = os.WriteFile(filepath.Join(dir, "half"), nil, 0o600)
		return true, boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if err := h.Fill(func(string) (bool, error) { return false, nil }); err != nil {
		t.Errorf("nothing to fill with: %v", err)
	}
	empty, err := h.Empty()
	left, _ := os.ReadDir(h.dir)
	if !empty || err != nil || len(left) != 2 {
		t.Errorf("empty %v, %v; left %v", empty, err, left)
	}
}

func TestNamesCannotLeaveTheStore(t *testing.T) {
	s := Open(t.TempDir())
	for _, name := range []string{"", "a", "..", ".x", "../x", "a/b", "a b", "-x", strings.Repeat("x", 256), "a\x00b"} {
		if _, _, err := s.Use(Volume{Name: name}); err == nil {
			t.Errorf("Use(%q) made a volume", name)
		}
		if _, err := s.Get(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get(%q): %v", name, err)
		}
		if err := s.Remove(name, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("Remove(%q): %v", name, err)
		}
	}
}

// Whoever is killed while he makes or removes a volume leaves it to record.Sweep, which goes by the name.
func TestWhatIsNoVolumeYetOrAnyMoreIsInTheTrash(t *testing.T) {
	root := t.TempDir()
	s := Open(root)
	dir, err := aside(s.trash())
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, "trash"); filepath.Dir(dir) != want || filepath.Ext(dir) != fmt.Sprintf(".%d", os.Getpid()) {
		t.Errorf("%s, want it in %s, with the number of this process", dir, want)
	}
	h, _, err := s.Use(Volume{Name: "data"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Release(), s.Remove("data", nil), os.Remove(dir)); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{s.trash(), s.dir} {
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v, %v", dir, left, err)
		}
	}
}
