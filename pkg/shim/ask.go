package shim

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
	"minictr/pkg/record"
	"minictr/pkg/shim/wire"
)

// What other commands want of a container they mostly do themselves. The rest
// they ask its shim for: what changes the state, which is the shim's to write,
// and what the restart policy has to know of.

// answer does what a request asks for, and says what became of it.
func (s *shim) answer(c *client, payload []byte) {
	s.asking.Lock()
	defer s.asking.Unlock()
	var request wire.Request
	err := wire.Decode(payload, &request)
	if err == nil {
		err = s.do(request)
	}
	var reply wire.Reply
	if err != nil {
		reply.Error = err.Error()
	}
	c.last(wire.Answer, reply)
}

func (s *shim) do(r wire.Request) error {
	s.idle.litter()
	switch r.Do {
	case wire.DoSignal:
		return s.signal(r)
	case wire.DoPause:
		return s.pause()
	case wire.DoResume:
		return s.resume()
	case wire.DoReload:
		return s.reload()
	case wire.DoStay:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.config.AutoRemove = false
		return nil
	}
	return fmt.Errorf("the container's shim does not know what %q is", r.Do)
}

// signal sends a signal to the container's first process. A container that is
// frozen would not notice one that shall end it, so it is thawed.
func (s *shim) signal(r wire.Request) error {
	switch {
	case r.Last:
		s.noMore(r.ByUser)
	case r.ByUser:
		s.stoppedByUser()
	}
	s.program.signal(unix.Signal(r.Signal))
	if r.Last && s.status() == record.Paused {
		return s.resume()
	}
	return nil
}

func (s *shim) status() record.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Status
}

func (s *shim) stdinOnce() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config.StdinOnce
}

// The refusals of pause and unpause, in docker's words.
var (
	errPaused     = errors.New("it is paused already")
	errNotPaused  = errors.New("it is not paused")
	errEnded      = errors.New("it has ended meanwhile")
	errRestarting = errors.New("it is restarting, wait until it runs")
)

// pause freezes the container. No check of its health can end meanwhile, so
// none is made.
func (s *shim) pause() error {
	switch s.status() {
	case record.Paused:
		return errPaused
	case record.Restarting:
		return errRestarting
	}
	s.endChecks()
	if err := s.freeze(true); err != nil {
		err = errors.Join(err, s.freeze(false))
		s.resumeChecks()
		if s.program.over() {
			return errEnded
		}
		return err
	}
	_ = s.update(func(st *record.State) {
		if st.Status == record.Running { // it has not been killed meanwhile
			st.Status = record.Paused
		}
	})
	s.tell("pause", nil)
	return nil
}

func (s *shim) resume() error {
	if s.status() != record.Paused {
		return errNotPaused
	}
	if err := s.freeze(false); err != nil {
		return err
	}
	_ = s.update(func(st *record.State) {
		if st.Status == record.Paused {
			st.Status = record.Running
		}
	})
	s.tell("unpause", nil)
	s.resumeChecks()
	return nil
}

func (s *shim) freeze(on bool) error {
	if s.other != nil {
		return s.other.freeze(on)
	}
	s.mu.Lock()
	path := s.runtime.CgroupsPath()
	s.mu.Unlock()
	hierarchy, err := cgroup.Detect()
	if err != nil {
		return err
	}
	group, err := hierarchy.Group(path, nil)
	if err != nil {
		return err
	}
	if on {
		return group.Freeze()
	}
	return group.Thaw()
}
