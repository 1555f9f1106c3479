package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

func testDirs(t testing.TB) Dirs {
	dir := t.TempDir()
	return Dirs{filepath.Join(dir, "root"), filepath.Join(dir, "run")}
}

func create(t testing.TB, d Dirs, id, name string) {
	t.Helper()
	r, err := Reserve(d, id, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.Dir(), "config.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Commit(json.RawMessage(`{"image":"alpine"}`)); err != nil {
		t.Fatal(err)
	}
}

// files lists what is in the trees, without the trees' own top directories.
func files(t testing.TB, d Dirs) []string {
	t.Helper()
	var list []string
	for _, top := range []string{d.Root, d.Run} {
		_ = filepath.WalkDir(top, func(path string, _ os.DirEntry, err error) error {
			if rel, _ := filepath.Rel(top, path); err == nil && filepath.Dir(rel) != "." {
				list = append(list, rel)
			}
			return nil
		})
	}
	return list
}

func TestAContainerExistsOnceItIsCommitted(t *testing.T) {
	d := testDirs(t)
	r, err := Reserve(d, "aaaa", "web")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := List(d); err != nil || len(list) != 0 {
		t.Errorf("half made, and listed: %v, %v", list, err)
	}
	if _, err := Resolve(d, "web"); err == nil {
		t.Error("half made, and resolved")
	}
	if err := r.Commit(json.RawMessage(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	got, err := Load(d, "aaaa")
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "web" || string(got.Config) != `{"a":1}` || got.State.Status != Created {
		t.Errorf("%+v", got)
	}
	if err := r.Abandon(); err != nil {
		t.Error(err)
	}
	if list, err := List(d); err != nil || len(list) != 1 || list[0].ID != "aaaa" || list[0].Name != "web" {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestAnAbandonedReservationLeavesNothing(t *testing.T) {
	d := testDirs(t)
	r, err := Reserve(d, "aaaa", "web")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Abandon(); err != nil {
		t.Fatal(err)
	}
	if left := files(t, d); len(left) != 0 {
		t.Error("left: ", left)
	}
	create(t, d, "bbbb", "web")
}

func TestANameHasOneOwner(t *testing.T) {
	d := testDirs(t)
	var wg sync.WaitGroup
	won := make(chan string, 16)
	for i := range cap(won) {
		wg.Go(func() {
			id := fmt.Sprintf("%04d", i)
			r, err := Reserve(d, id, "web")
			var taken *NameError
			switch {
			case errors.As(err, &taken):
				return
			case err != nil:
				t.Error(err)
			default:
				won <- id
				if err := r.Commit(json.RawMessage(`{}`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d containers are called web", len(won))
	}
	winner := <-won
	if id, err := Resolve(d, "web"); err != nil || id != winner {
		t.Errorf("web is %s, %v; want %s", id, err, winner)
	}
	if list, _ := List(d); len(list) != 1 {
		t.Errorf("the losers left something: %+v", list)
	}
}

func TestSweepClearsUpBehindAKilledMaker(t *testing.T) {
	d := testDirs(t)
	create(t, d, "bbbb", "db")
	r, err := Reserve(d, "aaaa", "web")
	if err != nil {
		t.Fatal(err)
	}
	if err := Sweep(d, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(r.Dir()); err != nil {
		t.Fatal("swept while its maker lives: ", err)
	}
	before := files(t, d)
	r.marker.File.Close() // what the kernel does when the maker is killed
	if err := Sweep(d, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(before, func(f string) bool {
		return slices.Contains([]string{"containers/aaaa", "names/web", "reserved/aaaa"}, f)
	})
	if left := files(t, d); !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
	create(t, d, "cccc", "web")
}

func TestSweepDeletesTrashOfTheDeadOnly(t *testing.T) {
	d := testDirs(t)
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(d.trash(), fmt.Sprintf("aaaa.%d", os.Getpid()))
	theirs := filepath.Join(d.trash(), fmt.Sprintf(".bbbb-1.%d", dead.Process.Pid))
	if err := makeDirs(mine+"/upper", theirs+"/upper"); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(d, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(theirs); !os.IsNotExist(err) {
		t.Error("still there: ", err)
	}
}

func TestRemoveLeavesNothing(t *testing.T) {
	d := testDirs(t)
	create(t, d, "aaaa", "web")
	lock, err := Hold(d, "aaaa")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(d.Container("aaaa")+"/upper/deep/down", 0o000); err != nil && os.Getuid() == 0 {
		t.Fatal(err)
	}
	for range 2 { // removing twice is no error
		if err := Remove(d, "aaaa"); err != nil {
			t.Fatal(err)
		}
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
	if left := files(t, d); len(left) != 0 {
		t.Error("left: ", left)
	}
	var missing *NotFoundError
	if _, err := Load(d, "aaaa"); !errors.As(err, &missing) {
		t.Error(err)
	}
}

func TestResolveTakesNamesAndBeginnings(t *testing.T) {
	d := testDirs(t)
	create(t, d, "abcd1111", "web")
	create(t, d, "abcd2222", "ab") // a name that is the beginning of an ID
	create(t, d, "ffff0000", "abcd1111x")
	for _, tc := range []struct {
		ref, want string
	}{
		{"web", "abcd1111"},
		{"ab", "abcd2222"},
		{"abcd1", "abcd1111"},
		{"abcd1111", "abcd1111"},
		{"f", "ffff0000"},
		{"abcd", ""},
		{"", ""},
		{"..", ""},
		{".", ""},
		{"../containers/abcd1111", ""},
		{"zzz", ""},
	} {
		got, err := Resolve(d, tc.ref)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("Resolve(%q) = %q, %v; want %q", tc.ref, got, err, tc.want)
		}
	}
}

func TestRenameMovesTheName(t *testing.T) {
	d := testDirs(t)
	create(t, d, "aaaa", "web")
	create(t, d, "bbbb", "db")
	var taken *NameError
	if err := Rename(d, "aaaa", "db"); !errors.As(err, &taken) || taken.ID != "bbbb" {
		t.Error(err)
	}
	if err := Rename(d, "aaaa", "www"); err != nil {
		t.Fatal(err)
	}
	if id, err := Resolve(d, "www"); err != nil || id != "aaaa" {
		t.Error(id, err)
	}
	create(t, d, "cccc", "web")
	// However one asks for a container, and whatever one takes its name for.
	for _, guess := range []string{"www", "web", "db", "aa", "aaaa", "", "nobody", "../names/www"} {
		r, err := LoadNamed(d, "aaaa", guess)
		if err != nil || r.ID != "aaaa" || r.Name != "www" {
			t.Errorf("LoadNamed with %q: %+v, %v", guess, r, err)
		}
	}
}

func TestNamesFollowDockersRule(t *testing.T) {
	for name, ok := range map[string]bool{
		"web": true, "a1": true, "A.b-c_d": true, "0x": true,
		"a": false, "": false, "-a": false, ".a": false, "_a": false, "a/b": false, "a b": false, "ä1": false, "a\x00": false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}

func TestTheDirectoriesComeFromTheEnvironment(t *testing.T) {
	t.Setenv("MINICTR_ROOT", "")
	t.Setenv("MINICTR_RUN", "/tmp/run/")
	d, err := FromEnv()
	if err != nil || d != (Dirs{DefaultRoot, "/tmp/run"}) {
		t.Errorf("%+v, %v", d, err)
	}
	t.Setenv("MINICTR_ROOT", "somewhere")
	if d, err := FromEnv(); err == nil {
		t.Errorf("a relative directory is taken: %+v", d)
	}
}

func BenchmarkListHundred(b *testing.B) {
	d := testDirs(b)
	for i := range 100 {
		id := fmt.Sprintf("%064x", i+1)
		create(b, d, id, fmt.Sprintf("name-%d", i))
		if err := WriteState(d.Container(id), State{Status: Running, Pid: 1, StartedAt: time.Now()}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if list, err := List(d); err != nil || len(list) != 100 {
			b.Fatal(len(list), err)
		}
	}
}
