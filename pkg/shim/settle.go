package shim

import (
	"errors"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
	"minictr/pkg/record"
	"minictr/pkg/runtime"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
)

// Settle clears up behind a shim that was killed: nothing of the container is
// left on the host, and its record says how it ended. A container whose shim
// lives is left alone, and so is one that somebody else is settling. It reports
// whether it was this shim's death that ended the container, and not the
// machine's: then the container's restart policy has still to be asked.
func Settle(dirs record.Dirs, id string) (killed bool, err error) {
	lock, err := record.Hold(dirs, id)
	if errors.Is(err, record.ErrHeld) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s := &shim{dirs: dirs, id: id, bundle: dirs.Container(id), lock: lock}
	if killed, err = s.settle(); err != nil {
		if kept := lock.Keep(); !errors.Is(kept, os.ErrClosed) { // a settle that got as far as close has kept it
			err = errors.Join(err, kept)
		}
		return killed, fmt.Errorf("clear up behind container %.12s: %w", id, err)
	}
	return killed, nil
}

func (s *shim) settle() (killed bool, err error) {
	if s.state, err = record.ReadState(s.bundle); errors.Is(err, os.ErrNotExist) {
		return false, s.lock.Release() // removed; only the run directory was left
	}
	if err != nil {
		return false, err
	}
	journal, err := step.ReadJournal(s.dirs.Journal(s.id))
	if err != nil {
		return false, err
	}
	if !s.state.Live() && len(journal) == 0 {
		return false, s.lock.Release()
	}
	s.killRest(s.state)
	if s.config, err = LoadConfig(s.bundle); err != nil {
		return false, err
	}
	if err := s.loadPlan(&runtime.IO{}); err != nil {
		return false, err
	}
	if err := undo(s.runtime, s.plan, journal, bridgeStep); err != nil {
		return false, err
	}
	// Since the last boot a container that runs, or pauses between two runs,
	// has a socket.
	_, gone := os.Lstat(s.dirs.Socket(s.id))
	killed = s.state.Live() && gone == nil
	wasRunning := s.state.Live() && s.state.Pid != 0
	deletes, err := s.close(func(st *record.State) {
		if st.Live() || st.Error == "" { // else it is known why there was something left to undo
			exited(wire.Exit{Code: codeKilled, Error: "its shim was killed, or the machine restarted"})(st)
		}
	}, true)
	if wasRunning {
		s.tellEnd(wire.Exit{Code: codeKilled})
	}
	return killed && err == nil, errors.Join(err, deletes(), s.tidyNetwork(0))
}

// Discard clears up behind a shim that was killed and whose container's files
// cannot be read any more, so that no plan can be made of them: it removes what
// bears the container's ID. Addresses and ports have their owner's ID too, and
// are the caller's to give back.
func Discard(dirs record.Dirs, id string) error {
	lock, err := record.Hold(dirs, id)
	if err != nil {
		return err
	}
	hierarchy, err := cgroup.Detect()
	if err != nil {
		return errors.Join(err, lock.Keep())
	}
	config := runtime.Config{ID: id, Spec: &specs.Spec{}}
	group, err := hierarchy.Group(config.CgroupsPath(), nil)
	if err == nil {
		create := cgroup.Create(group)
		err = step.Undo(step.Plan{create}, []string{create.Name}, nil)
	}
	if err != nil {
		return errors.Join(err, lock.Keep())
	}
	return lock.Release()
}

// killRest kills a container that has outlived its shim: the kernel does, so
// this is for programs that took that wish of ours back (PR_SET_PDEATHSIG).
func (s *shim) killRest(state record.State) {
	if !state.Live() || !record.Alive(state.Pid, state.PidStart) {
		return
	}
	pidfd, err := unix.PidfdOpen(state.Pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(pidfd)
	if record.Alive(state.Pid, state.PidStart) { // pidfd and record mean the same process
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 2000)
	}
}
