package record

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestAFollowerMissesNothingWhenTheFileIsPutAside(t *testing.T) {
	defer func(n int64) { maxEvents = n }(maxEvents)
	maxEvents = 5_000
	d := Dirs{Root: t.TempDir(), Run: t.TempDir() + "/run"}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	const count = 300
	done := errors.New("all seen")
	ready, got := make(chan struct{}), 0
	result := make(chan error, 1)
	paced := make(chan struct{}, count)
	go func() {
		result <- FollowEvents(ctx, d, false, func() { close(ready) }, func(e Event) error {
			if e.Action != fmt.Sprint(got) {
				return fmt.Errorf("event %s where %d was expected", e.Action, got)
			}
			got++
			paced <- struct{}{}
			if got == count {
				return done
			}
			return nil
		})
	}()
	<-ready
	for i := range count {
		if err := TellContainer(d, "id", fmt.Sprint(i), map[string]string{"image": "alpine"}, nil); err != nil {
			t.Fatal(err)
		}
		if i%20 == 19 { // a follower that is left behind by two whole files has lost
			for range 20 {
				select {
				case <-paced:
				case <-ctx.Done():
					t.Fatal(<-result)
				}
			}
		}
	}
	if err := <-result; !errors.Is(err, done) {
		t.Fatalf("%d seen: %v", got, err)
	}
}

func TestThePastComesFirst(t *testing.T) {
	d := Dirs{Root: t.TempDir(), Run: t.TempDir()}
	for i := range 3 {
		if err := TellContainer(d, "id", fmt.Sprint(i), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var got string
	err := FollowEvents(ctx, d, true, func() {
		if err := TellContainer(d, "id", "new", nil, nil); err != nil {
			t.Error(err)
		}
	}, func(e Event) error {
		if got += e.Action; e.Action == "new" {
			cancel()
		}
		return nil
	})
	if got != "012new" || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", got, err)
	}
}
