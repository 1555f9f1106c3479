package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"minictr/pkg/image"
	"minictr/pkg/image/transfer"
)

// TestTheBuiltInImageStandsInForAnUnreachableRegistryOnly goes through what a
// registry may answer, or not.
func TestTheBuiltInImageStandsInForAnUnreachableRegistryOnly(t *testing.T) {
	for _, test := range []struct {
		ref     string
		policy  PullPolicy
		answer  error
		standIn bool
	}{
		{"alpine", PullMissing, image.ErrUnreachable, true},
		{"alpine", "", image.ErrUnreachable, true},
		{"busybox:1.36", PullMissing, image.ErrUnreachable, true},
		{"docker.io/library/alpine:3.20", PullMissing, image.ErrUnreachable, true},
		{"alpine", PullAlways, image.ErrUnreachable, false},
		{"alpine", PullNever, image.ErrUnreachable, false},
		{"alpine", PullMissing, image.ErrNotFound, false},
		{"alpine", PullMissing, image.ErrUnauthorized, false},
		{"alpine", PullMissing, image.ErrDigest, false},
		{"alpine", PullMissing, image.ErrPlatform, false},
		{"alpine@sha256:1e42bbe2508154c9126d48c2b8a75420c3544343bf86fd041fb7527e017a4b4a", PullMissing, image.ErrUnreachable, false},
		{"nginx", PullMissing, image.ErrUnreachable, false},
		{"quay.io/library/alpine", PullMissing, image.ErrUnreachable, false},
		{"someone/alpine", PullMissing, image.ErrUnreachable, false},
	} {
		t.Run(fmt.Sprintf("%s %s %v", test.ref, test.policy, test.answer), func(t *testing.T) {
			e := newEngine(t)
			e.pull = func(context.Context, image.Name, transfer.Options) (*image.Image, error) {
				return nil, fmt.Errorf("pull: %w", test.answer)
			}
			var notes []string
			img, release, err := e.hold(t.Context(), test.ref, ImageOptions{Pull: test.policy, Notice: func(s string) { notes = append(notes, s) }})
			if test.standIn {
				if err != nil || len(notes) != 1 || img.Name().Familiar() != builtInName {
					t.Fatalf("got %v, notes %q", err, notes)
				}
				release()
				return
			}
			if err == nil || test.policy != PullNever && !errors.Is(err, test.answer) || len(notes) != 0 {
				t.Errorf("got %v, notes %q", err, notes)
			}
		})
	}
}

func TestWithoutItsProgramNoRegistryIsReached(t *testing.T) {
	e := newEngine(t)
	t.Setenv("PATH", t.TempDir())
	name, err := image.ParseName("nginx")
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Pull(t.Context(), name, ImageOptions{})
	if !errors.Is(err, image.ErrUnreachable) || !strings.Contains(err.Error(), "minictr-registry") {
		t.Error(err)
	}
}
