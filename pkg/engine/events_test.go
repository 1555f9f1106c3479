package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"minictr/pkg/record"
)

func TestEventsAreChosenByFilterAndTime(t *testing.T) {
	e := &Engine{Dirs: record.Dirs{Root: t.TempDir(), Run: t.TempDir()}}
	start := time.Unix(1_700_000_000, 0)
	for i, ev := range []record.Event{
		{Type: "container", Action: "create", Actor: record.Actor{ID: "abc", Attributes: map[string]string{"name": "web", "image": "nginx:1", "app": "shop"}}},
		{Type: "container", Action: "exec_create: sh", Actor: record.Actor{ID: "abc", Attributes: map[string]string{"name": "web", "image": "nginx:1"}}},
		{Type: "container", Action: "die", Actor: record.Actor{ID: "def", Attributes: map[string]string{"name": "db", "image": "alpine"}}},
		{Type: "volume", Action: "create", Actor: record.Actor{ID: "data"}},
		{Type: "image", Action: "pull", Actor: record.Actor{ID: "alpine:latest", Attributes: map[string]string{"name": "alpine"}}},
	} {
		ev.Nano = start.Add(time.Duration(i) * time.Second).UnixNano()
		if err := record.Tell(e.Dirs, ev); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		filters string
		since   int
		want    string
	}{
		{"", 0, "01234"},
		{"", 2, "234"},
		{"type=container", 0, "012"},
		{"event=create", 0, "03"},
		{"event=exec_create", 0, "1"},
		{"event=die event=pull", 0, "24"},
		{"container=web", 0, "01"},
		{"container=de", 0, "2"},
		{"container=web container=db type=container", 1, "12"},
		{"volume=data", 0, "3"},
		{"image=nginx", 0, "01"},
		{"image=nginx:1 event=create", 0, "0"},
		{"image=alpine", 0, "24"},
		{"label=app=shop", 0, "0"},
		{"scope=swarm", 0, ""},
	} {
		o := EventOptions{Since: start.Add(time.Duration(test.since) * time.Second), Until: time.Now()}
		for f := range strings.FieldsSeq(test.filters) {
			if err := o.Filters.Add(f); err != nil {
				t.Fatal(err)
			}
		}
		got := ""
		err := e.Events(t.Context(), o, func(ev record.Event) error {
			got += fmt.Sprint(int(time.Unix(0, ev.Nano).Sub(start) / time.Second))
			return nil
		})
		if got != test.want || err != nil {
			t.Errorf("%q since %d: %q, %v, want %q", test.filters, test.since, got, err, test.want)
		}
	}
	if err := e.Events(t.Context(), EventOptions{Filters: Filters{"colour": {"red"}}}, nil); err == nil {
		t.Error("accepted an unknown filter")
	}
}

func TestEventsEndAtTheirTime(t *testing.T) {
	e := &Engine{Dirs: record.Dirs{Root: t.TempDir(), Run: t.TempDir()}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := e.Events(ctx, EventOptions{Until: time.Now().Add(20 * time.Millisecond)}, func(record.Event) error { return nil })
	if err != nil || ctx.Err() != nil {
		t.Error(err, ctx.Err())
	}
}
