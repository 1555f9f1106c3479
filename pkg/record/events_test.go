package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
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

// TestAnEventIsWrittenAsByEncodingJSON: all its fields, under their names, in their
// order, and nothing in them that breaks the line.
func TestAnEventIsWrittenAsByEncodingJSON(t *testing.T) {
	for _, e := range []Event{
		ContainerEvent("id", "exec_create: sh -c \"a\\n\n\"", map[string]string{"image": "i", "name": "n", "é\x00": "\xff\u2028"}, nil),
		VolumeEvent("v", "create"),
		{},
		{Actor: Actor{Attributes: map[string]string{}}},
	} {
		e.Scope, e.Time, e.Nano = "local", 7, 7_000_000_001
		if e.Actor.Attributes == nil {
			e.Actor.Attributes = map[string]string{}
		}
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(e); err != nil {
			t.Fatal(err)
		}
		var is, be Event
		got := append(e.appendJSON(nil), '\n')
		if err := errors.Join(json.Unmarshal(got, &is), json.Unmarshal(want.Bytes(), &be)); err != nil || !reflect.DeepEqual(is, be) {
			t.Errorf("%s, %v, want %s", got, err, &want)
		}
		if bytes.IndexByte(got, '\n') != len(got)-1 {
			t.Errorf("%q is not one line", got)
		}
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
