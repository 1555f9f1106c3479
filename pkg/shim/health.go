package shim

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"minictr/pkg/record"
)

// HealthCheck says how it is found out whether a container works: by running a
// command in it now and then. Exit code 0 means that it does.
type HealthCheck struct {
	Args          []string      `json:"args"`
	Interval      time.Duration `json:"interval"`      // from the end of one run to the beginning of the next
	Timeout       time.Duration `json:"timeout"`       // after which a run has failed
	StartPeriod   time.Duration `json:"startPeriod"`   // from the container's start: failures do not count
	StartInterval time.Duration `json:"startInterval"` // Interval in that time
	Retries       int           `json:"retries"`       // so many failures in a row make it unhealthy
}

// Docker's values for what nobody has chosen.
const (
	DefaultInterval      = 30 * time.Second
	DefaultTimeout       = 30 * time.Second
	DefaultStartInterval = 5 * time.Second
	DefaultRetries       = 3
)

// What a container's health can be, in docker's words.
const (
	healthStarting = "starting"
	healthGood     = "healthy"
	healthBad      = "unhealthy"
)

// keptProbes is how many results of checks are kept.
const keptProbes = 5

// checks are the health checks of one run of the container: a goroutine that
// sleeps most of its time.
type checks struct {
	stop chan struct{}
	done sync.WaitGroup
}

// beginChecks begins to check a container whose first process is pid.
func (s *shim) beginChecks(pid int) {
	c := &checks{stop: make(chan struct{})}
	s.mu.Lock()
	s.checks = c
	check, begun := *s.config.Health, s.state.StartedAt
	s.mu.Unlock()
	c.done.Go(func() { s.check(c, check, pid, begun) })
}

// endChecks ends them, and waits for one that is under way, which is killed.
func (s *shim) endChecks() {
	s.mu.Lock()
	c := s.checks
	s.checks = nil
	s.mu.Unlock()
	if c != nil {
		close(c.stop)
		c.done.Wait()
	}
}

// resumeChecks begins again after a pause.
func (s *shim) resumeChecks() {
	s.mu.Lock()
	pid, wanted := s.state.Pid, s.config.Health != nil && s.checks == nil && s.state.Status == record.Running
	s.mu.Unlock()
	if wanted {
		s.beginChecks(pid)
	}
}

// check checks until it is told to stop.
func (s *shim) check(c *checks, check HealthCheck, pid int, begun time.Time) {
	for {
		timer := time.NewTimer(check.pause(s.health().Status, time.Since(begun)))
		select {
		case <-c.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		result, err := s.probe(c.stop, check, pid)
		select {
		case <-c.stop:
			return // it says nothing: the container ends, or stands still
		default:
		}
		if err != nil {
			result.ExitCode, result.Output = -1, err.Error()
		}
		s.idle.litter()
		s.note(check, result, begun)
	}
}

// pause is how long the next check waits.
func (c HealthCheck) pause(status string, age time.Duration) time.Duration {
	if status == healthStarting && age < c.StartPeriod {
		return c.StartInterval
	}
	return c.Interval
}

// after is what is known of a container's health after one more check.
func (c HealthCheck) after(h record.Health, p record.Probe, begun time.Time) record.Health {
	h.Log = append(slices.Clone(h.Log), p)
	h.Log = h.Log[max(0, len(h.Log)-keptProbes):]
	switch {
	case p.ExitCode == 0:
		h.Status, h.FailingStreak = healthGood, 0
	case h.Status == healthStarting && p.Start.Sub(begun) < c.StartPeriod:
		// It is not expected to work yet.
	default:
		if h.FailingStreak++; h.FailingStreak >= c.Retries {
			h.Status = healthBad
		}
	}
	return h
}

func (s *shim) health() (h record.Health) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Health != nil {
		h = *s.state.Health
	}
	return h
}

// note records a result, and tells if the container's health has changed.
func (s *shim) note(check HealthCheck, p record.Probe, begun time.Time) {
	before := s.health()
	after := check.after(before, p, begun)
	_ = s.update(func(st *record.State) { st.Health = &after })
	if after.Status != before.Status {
		s.tell(fmt.Sprintf("health_status: %s", after.Status), nil)
	}
}
