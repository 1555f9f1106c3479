package shim

import (
	"maps"
	"strconv"
	"time"

	"minictr/pkg/record"
	"minictr/pkg/shim/wire"
)

// Use is something that the container is connected to as long as it runs: a
// volume, which is mounted and unmounted, or a network, which it is connected to
// and disconnected from.
type Use struct {
	Type       string            `json:"type"` // volume or network
	ID         string            `json:"id"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// What happens to volumes and networks at a container's start, and at its end.
var (
	begins = map[string]string{"volume": "mount", "network": "connect"}
	ends   = map[string]string{"volume": "unmount", "network": "disconnect"}
)

// uses are the events of what the container is connected to.
func (s *shim) uses(actions map[string]string) (events []record.Event) {
	for _, u := range s.config.Uses {
		events = append(events, record.Event{Type: u.Type, Action: actions[u.Type], Actor: record.Actor{ID: u.ID, Attributes: u.Attributes}})
	}
	return events
}

// about is an event in the container's life, false if nobody is to hear of it.
func (s *shim) about(action string, more map[string]string) (record.Event, bool) {
	s.mu.Lock()
	about := s.config.About
	s.mu.Unlock()
	if about == nil {
		return record.Event{}, false
	}
	more = maps.Clone(more)
	if more == nil {
		more = make(map[string]string, 1)
	}
	more["name"] = record.NameOf(s.dirs, s.id, about["name"])
	return record.ContainerEvent(s.id, action, about, more), true
}

// tell tells of an event in the container's life. That nobody can be told is
// no reason for anything.
func (s *shim) tell(action string, more map[string]string) {
	if e, ok := s.about(action, more); ok {
		_ = record.Tell(s.dirs, e)
	}
}

// tellStart tells of the beginning of a run.
func (s *shim) tellStart() {
	if e, ok := s.about("start", nil); ok {
		_ = record.Tell(s.dirs, append(s.uses(begins), e)...)
	}
}

// tellEnd tells of the end of a run.
func (s *shim) tellEnd(exit wire.Exit) {
	if exit.OOMKilled {
		s.tell("oom", nil)
	}
	e, ok := s.about("die", map[string]string{
		"exitCode": strconv.Itoa(exit.Code), "execDuration": strconv.Itoa(int(time.Since(s.state.StartedAt).Seconds())),
	})
	if ok {
		_ = record.Tell(s.dirs, append([]record.Event{e}, s.uses(ends)...)...)
	}
}
