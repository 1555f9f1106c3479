package shim

import "time"

// Policy is a restart policy, docker's --restart: whether a container that has
// ended is started again. The zero value means never.
//
//	no               never
//	on-failure[:N]   after an exit code other than 0, N times at most
//	always           whatever its end was, unless a user has just asked for it;
//	                 also after the machine was
//	unless-stopped   the same, but what a user has stopped stays so
type Policy struct {
	Name    string `json:"name,omitempty"`
	Retries int    `json:"retries,omitempty"` // of on-failure; 0: without limit
}

// The restart policies.
const (
	Never         = "no"
	OnFailure     = "on-failure"
	Always        = "always"
	UnlessStopped = "unless-stopped"
)

// Active reports whether the policy ever starts a container again.
func (p Policy) Active() bool { return p.Name != "" && p.Name != Never }

// Again reports whether a container is started again that ended with an exit
// code, was started by its policy so often before, and was stopped by a user,
// or not.
func (p Policy) Again(code, restarts int, byUser bool) bool {
	switch p.Name {
	case Always:
		return true
	case UnlessStopped:
		return !byUser
	case OnFailure:
		return code != 0 && (p.Retries == 0 || restarts < p.Retries)
	}
	return false
}

// AtBoot reports whether a container that has run before is started when the
// machine was. Policy on-failure is about the program's failures only.
func (p Policy) AtBoot(byUser bool) bool {
	return p.Name == Always || p.Name == UnlessStopped && !byUser
}

// Docker's pauses before a container is started again: a program that ends at
// once must not keep the machine busy.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = time.Minute
	longRun      = 10 * time.Second // after which a container counts as one that works
)

// backoff is how long the next start waits.
type backoff struct{ pause time.Duration }

// after returns the pause after a run of some length: doubled each time, short
// again after a long run.
func (b *backoff) after(ran time.Duration) time.Duration {
	switch {
	case b.pause == 0 || ran >= longRun:
		b.pause = firstPause
	default:
		b.pause = min(2*b.pause, longestPause)
	}
	return b.pause
}
