package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/network"
	"minictr/pkg/record"
	"minictr/pkg/runtime"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
)

// A container that is started again by its policy is made anew, by the same
// shim from the same files: other namespaces, another cgroup directory, the
// same plan. What it keeps between two runs is what others know it by: its
// lock, the shim's socket, its address, its published ports, its log.

// again reports whether the container is to run once more.
func (s *shim) again(code int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.isLast() && s.config.Restart.Again(code, s.state.Restarts, s.state.Stopped)
}

// noMore keeps the policy from starting the container again, for the present
// shim's life. What a user has stopped stays stopped over the machine's
// restarts too, if the policy says so.
func (s *shim) noMore(byUser bool) {
	s.mu.Lock()
	if !s.isLast() {
		close(s.last)
	}
	s.mu.Unlock()
	if byUser {
		s.stoppedByUser()
	}
}

func (s *shim) stoppedByUser() { _ = s.update(func(st *record.State) { st.Stopped = true }) }

func (s *shim) isLast() bool {
	select {
	case <-s.last:
		return true
	default:
		return false
	}
}

// turn ends one run of a container that will run again. Clients are told as at
// its end, as docker's are.
func (s *shim) turn(exit wire.Exit) (wire.Exit, error) {
	exit.OOMKilled = exit.Code != 0 && oomKilled(s.runtime)
	_ = s.update(func(st *record.State) {
		ended(st, exit)
		st.Status = record.Restarting
		st.Restarts++
	})
	s.stdio.drain(0)
	kept := s.log.Close()
	journal, err := step.ReadJournal(s.dirs.Journal(s.id))
	network.CloseReserved(s.made)
	if err == nil {
		s.remake()
		err = step.Undo(s.plan, without(journal, bridgeStep), nil)
	}
	if err == nil {
		err = os.Remove(s.dirs.Journal(s.id))
	}
	if kept != nil {
		exit.Error = kept.Error()
	}
	s.tellEnd(exit)
	s.clients.turn(exit)
	if err != nil { // two errors: that of the run, and that of the undo; the journal stays
		return exit, errors.Join(fmt.Errorf("start container %.12s again", s.id), err)
	}
	return exit, nil
}

// rest waits between two runs. It reports false if there is to be no other.
func (s *shim) rest(pause time.Duration) bool {
	s.idle.litter()
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.last:
		return false
	}
	// A signal for the next run is kept from here on; one that came before
	// has also said that there is none.
	s.program.reset()
	return !s.isLast()
}

// prepareAgain is prepare for another run.
func (s *shim) prepareAgain(request wire.StartRequest) error {
	// The container must not inherit that we are spared when memory runs out.
	_ = os.WriteFile(oomScore, []byte(strconv.Itoa(s.score)), 0)
	s.restarted = true
	return s.prepare(request)
}

// rejoin has a container share the namespaces that others have now: a plan
// names them by a process that may be gone.
func (s *shim) rejoin(spec *specs.Spec) error {
	s.mu.Lock()
	joins := s.config.Joins
	s.mu.Unlock()
	if len(joins) == 0 || spec.Linux == nil {
		return nil
	}
	for i, ns := range spec.Linux.Namespaces {
		id := joins[string(ns.Type)]
		if id == "" {
			continue
		}
		state, err := record.ReadState(s.dirs.Container(id))
		if err != nil || state.Pid == 0 || !record.Alive(state.Pid, state.PidStart) {
			return fmt.Errorf("share the %s namespace of container %.12s: that one does not run", ns.Type, id)
		}
		spec.Linux.Namespaces[i].Path = filepath.Join("/proc", strconv.Itoa(state.Pid), "ns", filepath.Base(ns.Path))
	}
	return nil
}

// nextRequest is how the next run begins: nobody watches, and a terminal has
// the size that it had.
func (cs *clients) nextRequest() wire.StartRequest {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return wire.StartRequest{Width: cs.size.Width, Height: cs.size.Height}
}

// reload reads the container's policy again; the plan follows when the run
// ends.
func (s *shim) reload() error {
	config, err := LoadConfig(s.bundle)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.config.Restart, s.changed = config.Restart, true
	return nil
}

// remake makes the plan again that is about to be undone, if limits were
// changed meanwhile: a controller more is a directory more to be removed. A
// configuration that is damaged by now leaves the plan as it was.
func (s *shim) remake() {
	s.mu.Lock()
	changed := s.changed
	s.changed = false
	s.mu.Unlock()
	if !changed {
		return
	}
	if err := s.loadPlan(&runtime.IO{}); err != nil {
		fmt.Fprintln(os.Stderr, "minictr-shim:", err)
	}
}
