package shim

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
	"minictr/pkg/network"
	"minictr/pkg/record"
	"minictr/pkg/runtime"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
	"minictr/pkg/volume"
)

// slowReader is how long a container that has ended passes for a running one
// because somebody takes their time to read its output.
const slowReader = 2 * time.Second

// finish is the end of a container that ran. Whoever waits for it is told when
// nothing of it is left but its record, or not even that; what takes long and
// nobody sees comes after.
func (s *shim) finish(exit wire.Exit) error {
	var errs []error
	drained := s.stdio.drain(slowReader)
	if drained {
		errs = append(errs, s.log.Close())
	}
	exit.OOMKilled = exit.Code != 0 && oomKilled(s.runtime)
	journal, err := step.ReadJournal(s.dirs.Journal(s.id))
	errs = append(errs, err)
	network.CloseReserved(s.made)
	undone := s.undo(journal)
	errs = append(errs, undone)
	if err := errors.Join(errs...); err != nil {
		exit.Error = err.Error()
	}
	s.tellEnd(exit)
	if !drained {
		return s.leaveSlowly(exit, undone)
	}
	return s.leave(exit, undone)
}

// leave is the last of a container of which nothing runs any more. undone is
// what could not be undone of it.
func (s *shim) leave(exit wire.Exit, undone error) error {
	deletes, err := s.close(exited(exit), undone == nil)
	return s.farewell(exit, deletes, errors.Join(undone, err))
}

// leaveSlowly is leave where somebody takes their time to read the last of the
// output.
func (s *shim) leaveSlowly(exit wire.Exit, undone error) error {
	deletes, err := s.close(exited(exit), undone == nil)
	s.stdio.drain(0)
	return s.farewell(exit, deletes, errors.Join(err, s.log.Close()))
}

func (s *shim) farewell(exit wire.Exit, deletes func() error, err error) error {
	if err != nil && exit.Error == "" {
		exit.Error = err.Error()
	}
	s.clients.close(wire.Exited, exit)
	return errors.Join(err, deletes(), s.tidyNetwork(network.Linger))
}

// exited is how an end goes down in the record.
func exited(exit wire.Exit) func(*record.State) {
	return func(st *record.State) {
		ended(st, exit)
		st.Status, st.ShimPid, st.ShimStart = record.Exited, 0, 0
	}
}

// ended is a run's end.
func ended(st *record.State, exit wire.Exit) {
	if st.Pid != 0 || st.FinishedAt.IsZero() { // not noted yet
		st.FinishedAt = time.Now().UTC()
	}
	st.Pid, st.PidStart = 0, 0
	st.ExitCode, st.OOMKilled, st.Error = exit.Code, exit.OOMKilled, exit.Error
	if st.Health != nil {
		st.Health = &record.Health{Status: healthBad, FailingStreak: st.Health.FailingStreak, Log: st.Health.Log}
	}
}

// fail is the end of a container that did not start. The runner has undone
// what it did.
func (s *shim) fail(cause error) error {
	failure := describe(cause, s.runtime)
	if s.lock == nil { // not ours to touch: it runs, or does not exist
		s.clients.close(wire.Failed, failure)
		return nil
	}
	var disconnected error
	if s.runtime != nil {
		disconnected = disconnect(s.runtime)
	}
	last, err := record.ReadState(s.bundle)
	ran := err == nil && (last.Status == record.Exited || last.Status == record.Restarting)
	deletes, err := s.close(func(st *record.State) {
		*st = record.State{Status: record.Created, ExitCode: failure.Code, Error: failure.Message, Restarts: last.Restarts, Stopped: last.Stopped}
		if ran { // once
			st.Status, st.StartedAt, st.FinishedAt, st.Health = record.Exited, last.StartedAt, time.Now().UTC(), last.Health
		}
	}, !undoFailed(cause))
	s.clients.close(wire.Failed, failure)
	return errors.Join(disconnected, err, deletes(), s.tidyNetwork(network.Linger))
}

// undoFailed reports whether the runner could not take back what it had done;
// then its error joins the failed step and the failed undos.
func undoFailed(err error) bool {
	many, ok := err.(interface{ Unwrap() []error })
	return ok && len(many.Unwrap()) > 1
}

// close leaves the records as they shall be, and gives up the lock: whoever
// hears of the end may start or remove the container at once. If something
// could not be undone, the journal stays for Settle. What deletes returns
// takes time and changes nothing that anybody looks for.
func (s *shim) close(change func(*record.State), undone bool) (deletes func() error, err error) {
	nothing := func() error { return nil }
	s.mu.Lock()
	removed := s.config.AutoRemove
	s.mu.Unlock()
	if !undone || !removed {
		err = s.update(change)
	}
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	if err != nil { // the next command tries to; without a socket there it does not take it for killed, and asks no policy
		_ = os.Remove(s.dirs.Socket(s.id))
	}
	if !undone || err != nil {
		return nothing, errors.Join(err, s.lock.Keep())
	}
	if !removed {
		return nothing, s.lock.Release()
	}
	files, err := record.Vanish(s.dirs, s.id)
	s.tell("destroy", nil)
	err = errors.Join(err, s.lock.Keep())
	if files == nil {
		return nothing, err
	}
	return func() error { return errors.Join(files(), removeVolumes(s.dirs, s.config.Volumes)) }, err
}

// tidyNetwork unplugs the container, should the kernel not have done it, and
// removes the bridge if it has been without containers for a while.
func (s *shim) tidyNetwork(idle time.Duration) error {
	if s.runtime == nil || s.runtime.Network == nil {
		return nil
	}
	time.Sleep(idle)
	err := s.unplug()
	for {
		again, failed := network.RemoveIfUnused(s.dirs.Run, idle, nil)
		if again == 0 {
			return errors.Join(err, failed)
		}
		time.Sleep(again) // others have come and gone meanwhile
	}
}

// unplug makes sure that the container's veth pair is gone. By now the
// container may run again, with a pair of the same name: the lock tells.
func (s *shim) unplug() error {
	lock, err := record.Hold(s.dirs, s.id)
	if errors.Is(err, record.ErrHeld) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(step.Undo(s.plan, []string{plugStep}, nil), lock.Release())
}

// The steps whose undo takes the kernel tens of milliseconds, and which nobody
// must wait for: see tidyNetwork. The veth pair goes with the container's
// network namespace anyway, unless another container has joined that.
const (
	bridgeStep = "network.bridge"
	plugStep   = "network.plug"
)

var slowSteps = []string{bridgeStep, plugStep}

// undo takes back what the plan's steps left on the host, but for some steps.
func undo(c *runtime.Config, plan step.Plan, journal []string, but ...string) error {
	return errors.Join(step.Undo(plan, without(journal, but...), nil), disconnect(c))
}

func without(journal []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(journal), func(name string) bool { return slices.Contains(names, name) })
}

// undo takes back what the last run left on the host, but for what takes long.
func (s *shim) undo(journal []string) error {
	s.remake()
	return undo(s.runtime, s.plan, journal, slowSteps...)
}

// undoAll takes back a plan that has run, for a container that is not to be.
func (s *shim) undoAll() error {
	journal, err := step.ReadJournal(s.dirs.Journal(s.id))
	network.CloseReserved(s.made)
	return errors.Join(err, step.Undo(s.plan, journal, nil))
}

func disconnect(c *runtime.Config) error {
	if c.Network == nil {
		return nil
	}
	return network.Disconnect(c.RunDir, c.Network)
}

// removeVolumes removes the anonymous volumes of a container that is removed,
// but for those that another container has by now (--volumes-from).
func removeVolumes(dirs record.Dirs, names []string) error {
	var errs []error
	for _, name := range names {
		err := volume.Open(dirs.Root).Remove(name, func(name string) ([]string, error) { return mentions(dirs, name) })
		if err == nil {
			_ = record.Tell(dirs, record.VolumeEvent(name, "destroy"))
		}
		if !errors.Is(err, volume.ErrNotFound) && !errors.Is(err, volume.ErrInUse) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// mentions are the containers whose records hold the name of a volume: what
// else is in them is the engine's business, but a name of 64 random digits can
// mean nothing else.
func mentions(dirs record.Dirs, volume string) ([]string, error) {
	list, err := record.List(dirs)
	var users []string
	for _, r := range list {
		if bytes.Contains(r.Config, []byte(volume)) {
			users = append(users, r.ID)
		}
	}
	return users, err
}

// exitCode is the status as a shell has it.
func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// oomKilled reports whether the memory limit killed one of the container's
// processes.
func oomKilled(c *runtime.Config) bool {
	hierarchy, err := cgroup.Detect()
	if err != nil {
		return false
	}
	group, err := hierarchy.Group(c.CgroupsPath(), c.Spec.Linux.Resources)
	return err == nil && group.OOMKilled()
}

// The exit codes of a command that could not run a container, as docker has
// them.
const (
	codeEngine   = 125
	codeRefused  = 126 // the program is there and may not run
	codeNotFound = 127 // there is no such program
)

// codeKilled is the exit code of what a SIGKILL has ended.
const codeKilled = 128 + int(unix.SIGKILL)
