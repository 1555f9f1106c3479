package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"minictr/pkg/image"
	"minictr/pkg/record"
)

// EventOptions choose what Events tells.
type EventOptions struct {
	Since, Until time.Time // zero: from now on, for ever
	Filters      Filters
}

// Events passes on what happens to containers, images and volumes, the oldest
// first, until the moment Until or ctx is over. What happened before is told
// only if Since, or an Until that is over, asks for it.
func (e *Engine) Events(ctx context.Context, o EventOptions, each func(record.Event) error) error {
	keys := []string{"container", "daemon", "event", "image", "label", "network", "scope", "type", "volume"}
	if err := o.Filters.Check(keys...); err != nil {
		return err
	}
	pass := func(ev record.Event) error {
		at := time.Unix(0, ev.Nano)
		if at.Before(o.Since) || !o.Until.IsZero() && at.After(o.Until) || !o.Filters.passEvent(ev) {
			return nil
		}
		return each(ev)
	}
	if !o.Until.IsZero() && !o.Until.After(time.Now()) {
		return record.Events(e.Dirs, pass)
	}
	if !o.Until.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, o.Until)
		defer cancel()
	}
	err := record.FollowEvents(ctx, e.Dirs, !o.Since.IsZero(), nil, pass)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// passEvent applies docker's filters to an event.
func (f Filters) passEvent(ev record.Event) bool {
	a := ev.Actor
	return f.eventAction(ev.Action) && f.exactly("type", ev.Type) && f.exactly("scope", ev.Scope) && f.Labels(a.Attributes) &&
		f.actor(ev, "container", "container") && f.actor(ev, "volume", "volume") && f.actor(ev, "network", "network") &&
		f.actor(ev, "daemon", "daemon") && f.eventImage(ev)
}

// eventAction: "exec_create: sh" is an event exec_create.
func (f Filters) eventAction(action string) bool {
	verb, _, _ := strings.Cut(action, ":")
	return f.exactly("event", action) || slices.Contains(f["event"], verb)
}

// actor tells whether the event is about one of those named by the filter key:
// by name, by ID, or by the beginning of an ID.
func (f Filters) actor(ev record.Event, key, kind string) bool {
	if len(f[key]) == 0 {
		return true
	}
	return ev.Type == kind && slices.ContainsFunc(f[key], func(want string) bool {
		want = strings.TrimPrefix(want, "/")
		return want == ev.Actor.Attributes["name"] || want != "" && strings.HasPrefix(ev.Actor.ID, want)
	})
}

// eventImage: an image asked for is the one the event is about, or that of the
// container it is about; with a tag or without.
func (f Filters) eventImage(ev record.Event) bool {
	if len(f["image"]) == 0 {
		return true
	}
	names := []string{ev.Actor.Attributes["image"]}
	if ev.Type == "image" {
		names = []string{ev.Actor.ID, ev.Actor.Attributes["name"]}
	}
	for _, n := range slices.Clone(names) {
		if parsed, err := image.ParseName(n); err == nil {
			names = append(names, parsed.Familiar(), parsed.FamiliarRepository())
		}
	}
	return slices.ContainsFunc(f["image"], func(want string) bool { return want != "" && slices.Contains(names, want) })
}
