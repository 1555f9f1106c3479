package shim

import (
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/process"
	"minictr/pkg/record"
)

// Ending is how a container is asked to end, by those who are not its user: the
// machine's shutdown asks the shim.
type Ending struct {
	Signal  unix.Signal    `json:"signal,omitempty"`  // 0: SIGTERM
	Timeout *time.Duration `json:"timeout,omitempty"` // until SIGKILL; nil: DefaultStopTimeout; negative: never
}

// DefaultStopTimeout is how long a container has to end when it is asked to.
const DefaultStopTimeout = 10 * time.Second

// catchSignals takes the signals that ask a process to end, and gives the
// container none that is ignored.
func (s *shim) catchSignals() {
	signal.Notify(s.kill, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	process.HeedSignals()
}

// endWhenAsked ends the container when somebody asks the shim to end: init, when
// the machine is shut down, or a service manager whose unit is stopped. What
// follows is an ordinary end. It is no user's wish about this container: its
// policy does not start it again now, and will when the machine is started.
//
// SIGTERM and SIGINT are as `minictr stop`, SIGQUIT is as `minictr kill`. Both
// can come more than once: a manager asks the processes of a unit, and then its
// shutdown asks all that are left. It ends with the shim.
func (s *shim) endWhenAsked() {
	var late <-chan time.Time
	for asked := false; ; asked = true {
		select {
		case sig := <-s.kill:
			switch {
			case sig == unix.SIGQUIT:
				s.endBy(unix.SIGKILL)
			case !asked:
				late = s.askToEnd()
			}
		case <-late:
			s.endBy(unix.SIGKILL)
		}
	}
}

// askToEnd sends the stop signal. What it returns says that time is over.
func (s *shim) askToEnd() <-chan time.Time {
	s.mu.Lock()
	ending := s.config.Ending
	s.mu.Unlock()
	if ending.Signal == 0 {
		ending.Signal = unix.SIGTERM
	}
	s.endBy(ending.Signal)
	switch {
	case ending.Timeout == nil:
		return time.After(DefaultStopTimeout)
	case *ending.Timeout < 0:
		return nil
	}
	return time.After(*ending.Timeout)
}

// endBy sends a signal that shall end the container for now. One that is frozen
// would not notice.
func (s *shim) endBy(sig unix.Signal) {
	s.noMore(false)
	s.program.signal(sig)
	if s.status() == record.Paused {
		_ = s.resume() // else it is thawed by somebody else, or by its end
	}
}
