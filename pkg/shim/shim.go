package shim

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/logging"
	"minictr/pkg/process"
	"minictr/pkg/record"
	"minictr/pkg/runtime"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
)

// shim is one container under supervision.
type shim struct {
	dirs   record.Dirs
	id     string
	bundle string

	config  Config
	runtime *runtime.Config
	plan    step.Plan
	lock    *record.Lock
	log     *logging.Writer
	stdio   *stdio
	clients *clients
	program program
	made    map[kernel.Slot]uintptr // results of the host's calls of the plan
	idle    idler
	kill    chan os.Signal // asked to end
}

// Run makes the container in bundle and looks after it until it has ended and
// is undone. The first client is at the other end of first. The caller has
// locked its goroutine to a thread that lives as long as the process: the
// kernel ties the container's life to the thread that cloned it.
func Run(dirs record.Dirs, bundle string, first *net.UnixConn) error {
	s := &shim{dirs: dirs, id: filepath.Base(bundle), bundle: bundle, kill: make(chan os.Signal, 1)}
	s.clients = newClients(s)
	s.catchSignals()
	c := newClient(first)
	request, err := c.startRequest()
	if err != nil {
		return err
	}
	c.starts, c.wants = true, request.Streams
	if request.Patience > 0 {
		c.patience = request.Patience
	}
	s.clients.add(c)
	if err := s.prepare(request); err != nil {
		return s.fail(err)
	}
	go s.clients.serve(c)
	pid, err := s.make(c, request)
	if err != nil {
		return s.fail(err)
	}
	s.supervise(pid)
	status := s.program.wait()
	return s.finish(status)
}

// marker is the descriptor of client.Options.Marker, which the shim inherits.
const marker = 4

// prepare gets everything that can be got without touching the kernel's state:
// whatever fails here leaves nothing to undo.
func (s *shim) prepare(request wire.StartRequest) (err error) {
	if s.lock, err = hold(s.dirs, s.id); err != nil {
		return err
	}
	_ = unix.Close(marker) // from here on the lock tells that the container is looked after
	if s.config, err = LoadConfig(s.bundle); err != nil {
		return err
	}
	if s.runtime, err = runtime.Load(s.bundle); err != nil {
		return fmt.Errorf("load the container's configuration: %w", err)
	}
	s.runtime.ID, s.runtime.RunDir = s.id, s.dirs.Run
	s.runtime.Supervised = true
	io := runtime.IO{Width: request.Width, Height: request.Height}
	if p := s.runtime.Spec.Process; p != nil {
		io.Terminal = p.Terminal
	}
	if s.plan, err = runtime.Plan(s.runtime, io); err != nil {
		return err
	}
	if s.log, err = logging.Open(s.config.Log); err != nil {
		return err
	}
	if s.stdio, err = newStdio(io.Terminal, s.config.Stdin, s.runtime.Spec); err != nil {
		return err
	}
	return s.clients.listen(s.dirs.RunDir(s.id))
}

// hold takes the container's lock. Somebody who clears up behind an earlier
// shim may hold it for a moment.
func hold(dirs record.Dirs, id string) (*record.Lock, error) {
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		lock, err := record.Hold(dirs, id)
		if !errors.Is(err, record.ErrHeld) {
			return lock, err
		}
		state, err := record.ReadState(dirs.Container(id))
		if err == nil && state.Live() && record.Alive(state.ShimPid, state.ShimStart) {
			return nil, fmt.Errorf("container %.12s is running already", id)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("container %.12s: %w", id, record.ErrHeld)
		}
	}
}

// make runs the plan.
func (s *shim) make(c *client, request wire.StartRequest) (pid int, err error) {
	journal, err := step.OpenJournal(s.dirs.Journal(s.id))
	if err != nil {
		return 0, err
	}
	defer journal.Close()
	runner := step.Runner{Journal: journal, Slots: s.stdio.slots, Fault: fault(request.Fault)}
	if request.Explain {
		runner.Observe = c.event
	}
	if request.Pause {
		runner.Pause = c.pause
	}
	p, err := runner.Run(s.plan)
	s.stdio.started()
	if err != nil {
		return 0, err
	}
	s.made = p.Slots
	return p.PID, s.stdio.adopt(p.Slots)
}

func fault(f *wire.Fault) step.Fault {
	if f == nil {
		return step.Fault{}
	}
	return step.Fault{Step: f.Step, Kill: f.Kill, Die: func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}}
}

// supervise is for a container that runs: the world is told, and its output
// flows.
func (s *shim) supervise(pid int) {
	s.program.run(pid)
	s.writeState(record.State{Status: record.Running, Pid: pid, PidStart: startTime(pid)})
	s.clients.ready(pid)
	s.stdio.pump(s.deliver)
	go s.endWhenAsked()
	spareFromOOM()
	s.idle.start()
}

// deliver passes on a piece of the container's output.
func (s *shim) deliver(t wire.Type, p *wire.Buffer, n int) {
	s.idle.touch()
	stream := logging.Stdout
	if t == wire.Stderr {
		stream = logging.Stderr
	}
	s.log.Write(stream, p.Room()[:n])
	s.clients.output(t, p.Frame(t, n))
}

// writeState replaces the container's state, and keeps what has not changed. A
// state that cannot be written is no reason to stop a container; the next one
// to look finds its shim's lock.
func (s *shim) writeState(next record.State) {
	now := time.Now().UTC()
	if next.Status == record.Running {
		next.StartedAt = now
		next.ShimPid, next.ShimStart = os.Getpid(), startTime(os.Getpid())
	} else if last, err := record.ReadState(s.bundle); err == nil {
		next.StartedAt, next.FinishedAt = last.StartedAt, now
	}
	if err := record.WriteState(s.bundle, next); err != nil {
		fmt.Fprintln(os.Stderr, "minictr-shim:", err)
	}
}

func startTime(pid int) uint64 {
	start, _ := record.StartTime(pid) // 0 if it has just ended: then it matters no more
	return start
}

// catchSignals takes the signals that ask a process to end, and gives the
// container none that is ignored.
func (s *shim) catchSignals() {
	signal.Notify(s.kill, unix.SIGTERM, unix.SIGINT, unix.SIGQUIT)
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP)
	process.HeedSignals()
}

// endWhenAsked kills the container when somebody asks the shim to end; what
// follows is an ordinary end. It ends with the shim.
func (s *shim) endWhenAsked() {
	for range s.kill {
		s.program.signal(unix.SIGKILL)
	}
}

// spareFromOOM asks the kernel to kill others before the shim when memory runs
// out. After the clone: the container does not inherit it.
func spareFromOOM() {
	// Without the right to it (a shim that is not root's) we are as others are.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-998"), 0)
}

// program is the container's first process.
type program struct {
	mu      sync.Mutex
	pid     int           // 0 before it runs and after it was reaped
	ended   bool          //
	waiting []unix.Signal // asked for before it ran
}

func (p *program) run(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = pid
	for _, sig := range p.waiting {
		_ = unix.Kill(pid, sig)
	}
	p.waiting = nil
}

// signal sends a signal, to the process and never to a later one of the same
// number: its pid is free only after wait has reaped it.
func (p *program) signal(sig unix.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ended:
	case p.pid == 0:
		p.waiting = append(p.waiting, sig)
	default:
		_ = unix.Kill(p.pid, sig)
	}
}

// wait waits for the end of the process. It blocks the calling thread, which
// must live anyway and has nothing else to do.
func (p *program) wait() syscall.WaitStatus {
	for {
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(p.pid, &status, 0, nil); err != syscall.EINTR {
			break
		}
	}
	p.pid, p.ended = 0, true
	return status
}
