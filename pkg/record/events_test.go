package record

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestEventsAreToldInOrderAndWhole(t *testing.T) {
	d := Dirs{Root: t.TempDir(), Run: t.TempDir() + "/run"}
	about := map[string]string{"name": "web", "image": "alpine", "label": "x"}
	if err := TellContainer(d, "id1", "start", about, nil); err != nil {
		t.Fatal(err)
	}
	if err := TellContainer(d, "id1", "die", about, map[string]string{"exitCode": "3"}); err != nil {
		t.Fatal(err)
	}
	if f, err := os.OpenFile(d.EventsPath(), os.O_APPEND|os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	} else {
		fmt.Fprint(f, `{"Type":"conta`) // torn
		f.Close()
	}
	var got []string
	err := Events(d, func(e Event) error {
		if e.Status != e.Action || e.ID != e.Actor.ID || e.Time*1e9 > e.Nano || e.Nano == 0 || e.Scope != "local" {
			t.Errorf("%+v", e)
		}
		got = append(got, fmt.Sprint(e.Type, e.Action, e.From, e.Actor.Attributes["name"], e.Actor.Attributes["exitCode"]))
		return nil
	})
	if want := "containerstartalpineweb containerdiealpineweb3"; strings.Join(got, " ") != want || err != nil {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if about["exitCode"] != "" {
		t.Error("what belongs to one event got into the attributes of all")
	}
}

func TestTheEventsFileIsKeptBelowASizeAndLosesNothingNew(t *testing.T) {
	defer func(n int64) { maxEvents = n }(maxEvents)
	maxEvents = 20_000
	d := Dirs{Root: t.TempDir(), Run: t.TempDir()}
	const writers, each = 8, 40 // some 50 KB: the file is put aside more than once
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				if err := TellContainer(d, fmt.Sprint(w), fmt.Sprint(i), map[string]string{"image": "alpine"}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	// The oldest are gone; of what is left none is missing in between.
	next := make(map[string]int)
	seen := 0
	err := Events(d, func(e Event) error {
		n, _ := strconv.Atoi(e.Action)
		if want, ok := next[e.ID]; ok && n != want {
			t.Errorf("writer %s: %d comes after %d", e.ID, n, want-1)
		}
		next[e.ID] = n + 1
		seen++
		return nil
	})
	if err != nil || seen < 100 {
		t.Fatalf("%d events are left, %v", seen, err)
	}
	for id, n := range next {
		if n != each {
			t.Errorf("writer %s: the last that is known is %d", id, n-1)
		}
	}
	for _, path := range []string{d.EventsPath(), d.EventsPath() + ".1"} {
		if info, err := os.Stat(path); err != nil || info.Size() > maxEvents+writers*300 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}
