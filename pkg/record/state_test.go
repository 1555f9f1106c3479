package record

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAStateIsReadAsItWasWritten(t *testing.T) {
	dir := t.TempDir()
	want := State{
		Status: Exited, ShimPid: 7, ShimStart: 9, StartedAt: time.Now().Round(0).UTC(), FinishedAt: time.Now().Round(0).UTC(),
		ExitCode: 137, Error: "why", OOMKilled: true,
	}
	if err := WriteState(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadState(dir); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}

func TestADamagedStateIsDead(t *testing.T) {
	for _, content := range []string{"", "{", `{"status":""}`, "null", `{"status":7}`, "\x00\x00\x00"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadState(dir); err != nil || got.Status != Dead || got.Error == "" {
			t.Errorf("%q: %+v, %v", content, got, err)
		}
	}
	if _, err := ReadState(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Error("no state at all: ", err)
	}
}

func TestStartTimeIsFoundBehindAnyName(t *testing.T) {
	const tail = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20 21"
	for _, name := range []string{"sh", "a b", "a) S 1 (b", ")", "((("} {
		got, err := parseStart([]byte("12 (" + name + ")" + tail))
		if err != nil || got != 4242 {
			t.Errorf("%q: %d, %v", name, got, err)
		}
	}
	if _, err := parseStart([]byte("12 (sh) S 1")); err == nil {
		t.Error("no start time, and one was found")
	}
}

func TestAnotherProcessIsNotTakenForAnEarlierOne(t *testing.T) {
	start, err := StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !Alive(os.Getpid(), start) || Alive(os.Getpid(), start-1) {
		t.Error("this process is taken for another one")
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	if Alive(gone.Process.Pid, start) {
		t.Error("a process that is gone passes for alive")
	}
}

func TestALockHasOneHolder(t *testing.T) {
	d := testDirs(t)
	first, err := Hold(d, "aaaa")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Hold(d, "aaaa"); !errors.Is(err, ErrHeld) {
		t.Error(err)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	if left := files(t, d); len(left) != 0 {
		t.Error("left: ", left)
	}
	second, err := Hold(d, "aaaa")
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Release(); err != nil {
		t.Error(err)
	}
}

func TestALockOnARemovedFileIsNone(t *testing.T) {
	d := testDirs(t)
	first, err := Hold(d, "aaaa")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Keep()
	if err := os.RemoveAll(d.RunDir("aaaa")); err != nil {
		t.Fatal(err)
	}
	// The old file is still locked; the new one is another.
	second, err := Hold(d, "aaaa")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Keep()
	if _, err := Hold(d, "aaaa"); !errors.Is(err, ErrHeld) {
		t.Error(err)
	}
}

func TestOrphansAreThoseWhoseLockNobodyHolds(t *testing.T) {
	d := testDirs(t)
	create(t, d, "aaaa", "one")
	create(t, d, "bbbb", "two")
	if orphans, err := Orphans(d); err != nil || len(orphans) != 0 {
		t.Errorf("nothing runs, and these are orphans: %v, %v", orphans, err)
	}
	a, err := Hold(d, "aaaa")
	if err != nil {
		t.Fatal(err)
	}
	b, err := Hold(d, "bbbb")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if err := a.Keep(); err != nil { // as if its holder had been killed
		t.Fatal(err)
	}
	if orphans, err := Orphans(d); err != nil || !slices.Equal(orphans, []string{"aaaa"}) {
		t.Errorf("%v, %v", orphans, err)
	}
}

func TestAfterARebootWhatClaimsToRunIsAnOrphan(t *testing.T) {
	d := testDirs(t)
	create(t, d, "aaaa", "one")
	create(t, d, "bbbb", "two")
	create(t, d, "cccc", "three")
	for id, status := range map[string]Status{"aaaa": Running, "bbbb": Exited, "cccc": Paused} {
		if err := WriteState(d.Container(id), State{Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(d.Run); err != nil { // what a reboot does
		t.Fatal(err)
	}
	for range 2 { // until somebody settles them they stay orphans
		orphans, err := Orphans(d)
		slices.Sort(orphans)
		if err != nil || !slices.Equal(orphans, []string{"aaaa", "cccc"}) {
			t.Errorf("%v, %v", orphans, err)
		}
	}
	if entries, err := os.ReadDir(d.Run); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestEveryFieldOfAStateIsRead(t *testing.T) {
	table := new(State).members()
	for typ, i := reflect.TypeFor[State](), 0; i < typ.NumField(); i++ {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if table[name] == nil || !typ.Field(i).Type.ConvertibleTo(reflect.TypeOf(table[name]).Elem()) {
			t.Errorf("%s is not read", typ.Field(i).Name)
		}
		delete(table, name)
	}
	if len(table) > 0 {
		t.Errorf("there are no such fields: %v", table)
	}
}
