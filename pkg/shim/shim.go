package shim

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/logging"
	"minictr/pkg/record"
	"minictr/pkg/runtime"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
	"minictr/pkg/terminal"
)

// shim is one container under supervision.
type shim struct {
	dirs   record.Dirs
	id     string
	bundle string

	runtime *runtime.Config
	plan    step.Plan
	lock    *record.Lock
	log     *logging.Writer
	stdio   *stdio
	clients *clients
	program program
	other   *other                  // the OCI runtime that makes the container instead of us
	made    map[kernel.Slot]uintptr // results of the host's calls of the plan
	idle    idler
	kill    chan os.Signal // asked to end
	heed    sync.Once
	score   int // our oom_score_adj before we were spared

	restarted bool // this is not the first run

	asking sync.Mutex // held while somebody's wish is fulfilled, and he is told

	mu      sync.Mutex // of what follows, and of runtime; this goroutine alone writes most of it
	config  Config
	state   record.State  // as on disk, once the container has run
	over    bool          // the state is no longer ours to write
	changed bool          // the container's limits, since the plan was made
	last    chan struct{} // closed when no policy is to start it again
	checks  *checks       // of this run, nil: none
}

// Run makes the container in bundle and looks after it until it has ended and
// is undone. The first client is at the other end of first. The caller has
// locked its goroutine to a thread that lives as long as the process: the
// kernel ties the container's life to the thread that cloned it.
func Run(dirs record.Dirs, bundle string, first *net.UnixConn) error {
	s := &shim{dirs: dirs, id: filepath.Base(bundle), bundle: bundle, kill: make(chan os.Signal, 1), last: make(chan struct{})}
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
	s.state.Restarts = request.Restarts
	s.clients.add(c)
	if s.lock, err = hold(s.dirs, s.id); err != nil {
		return s.fail(err)
	}
	_ = unix.Close(marker) // from here on the lock tells that the container is looked after
	if err := s.prepare(request); err != nil {
		return s.fail(err)
	}
	if err := s.clients.listen(s.dirs.RunDir(s.id)); err != nil {
		return s.fail(err)
	}
	go s.clients.serve(c)
	err = s.live(c, request)
	s.asking.Lock() // whose wish it was that this ends still has to be told
	return err
}

// live is run after run of the container, as its restart policy wants.
func (s *shim) live(c *client, request wire.StartRequest) error {
	var pauses backoff
	for {
		pid, err := s.make(c, request)
		if err != nil {
			return s.fail(err)
		}
		begun := time.Now()
		s.supervise(pid)
		exit := wire.Exit{Code: exitCode(s.program.wait())}
		s.endChecks()
		if !s.again(exit.Code) {
			return s.finish(exit)
		}
		pause := pauses.after(time.Since(begun))
		if exit, err = s.turn(exit); err != nil {
			return s.fail(err)
		}
		if !s.rest(pause) {
			return s.leave(exit, nil)
		}
		request = s.clients.nextRequest()
		if err := s.prepareAgain(request); err != nil {
			return s.fail(err)
		}
	}
}

// marker is the descriptor of client.Options.Marker, which the shim inherits.
const marker = 4

// prepare gets everything that can be got without touching the kernel's state:
// whatever fails here leaves nothing to undo.
func (s *shim) prepare(request wire.StartRequest) error {
	config, err := LoadConfig(s.bundle)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.config = config
	s.mu.Unlock()
	io := runtime.IO{Width: request.Width, Height: request.Height}
	if err := s.loadPlan(&io); err != nil {
		return err
	}
	if s.log, err = logging.Open(config.Log); err != nil {
		return err
	}
	if s.stdio, err = newStdio(io.Terminal, config.Stdin, s.runtime.Spec); err != nil {
		return err
	}
	s.other, err = newOther(s.runtime, s.stdio, io.Terminal)
	return err
}

// loadPlan makes the plan from the bundle.
func (s *shim) loadPlan(io *runtime.IO) (err error) {
	config, err := runtime.Load(s.bundle)
	if err != nil {
		return fmt.Errorf("load the container's configuration: %w", err)
	}
	config.ID, config.RunDir, config.Supervised = s.id, s.dirs.Run, true
	if p := config.Spec.Process; p != nil {
		io.Terminal = p.Terminal
	}
	if s.restarted {
		if err := s.rejoin(config.Spec); err != nil {
			return err
		}
	}
	plan, err := runtime.Plan(config, *io)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runtime = config // also without a plan: it says what to give back
	if err == nil {
		s.plan = plan
	}
	return err
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
	hugePages(true) // for the container; not for us, who need no memory now that we did not have before
	journal, err := step.OpenJournal(s.dirs.Journal(s.id))
	if err != nil {
		return 0, err
	}
	defer journal.Close()
	runner := step.Runner{Journal: journal, Slots: s.stdio.slots, Fault: fault(request.Fault)}
	if request.Explain {
		runner.Observe = s.observer(c)
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
	if s.other != nil {
		defer s.other.close()
		err := s.other.take(p, terminal.Size{Width: request.Width, Height: request.Height})
		if err != nil {
			return 0, errors.Join(err, s.undoAll())
		}
		s.program.send = s.other.signal
		if request.Explain {
			c.event(step.Event{Kind: step.ReadyEvent, PID: p.PID, OK: true})
		}
	}
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
	checked := s.config.Health != nil // only this goroutine writes it
	_ = s.update(func(st *record.State) {
		*st = record.State{
			Status: record.Running, Pid: pid, PidStart: startTime(pid), ShimPid: os.Getpid(), ShimStart: startTime(os.Getpid()),
			StartedAt: time.Now().UTC(), FinishedAt: st.FinishedAt, Restarts: st.Restarts, Stopped: st.Stopped,
		}
		if checked {
			st.Health = &record.Health{Status: healthStarting}
		}
	})
	s.tellStart() // whoever hears that it runs finds it among the events
	s.clients.ready(pid, s.stdio)
	log := s.log
	s.stdio.pump(s.deliver, func() {
		log.Idle()
		s.idle.touch() // this, too, has brought pages of the program back
	})
	s.heed.Do(func() { go s.endWhenAsked() })
	s.spareFromOOM()
	hugePages(false)
	s.idle.start()
	if checked {
		s.beginChecks(pid)
	}
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

// update changes the container's state, here and on disk. A state that cannot
// be written is no reason to stop a container; the next one to look finds its
// shim's lock.
func (s *shim) update(change func(*record.State)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	if change(&s.state); s.state.Status == "" {
		return nil // it has not run yet
	}
	err := record.WriteState(s.bundle, s.state)
	if err != nil {
		fmt.Fprintln(os.Stderr, "minictr-shim:", err)
	}
	return err
}

func startTime(pid int) uint64 {
	start, _ := record.StartTime(pid) // 0 if it has just ended: then it matters no more
	return start
}

const oomScore = "/proc/self/oom_score_adj"

// spareFromOOM asks the kernel to kill others before the shim when memory runs
// out. After the clone: the container does not inherit it.
func (s *shim) spareFromOOM() {
	if b, err := os.ReadFile(oomScore); err == nil {
		s.score, _ = strconv.Atoi(strings.TrimSpace(string(b)))
	}
	// Without the right to it (a shim that is not root's) we are as others are.
	_ = os.WriteFile(oomScore, []byte("-998"), 0)
}

// hugePages says whether this process, and who it makes, may have transparent
// huge pages. One is more than all that a shim needs, so client.Start begins it
// without; the container shall have what the machine gives. See PR_SET_THP_DISABLE(2const).
func hugePages(on bool) {
	disable := uintptr(1)
	if on {
		disable = 0
	}
	_ = unix.Prctl(unix.PR_SET_THP_DISABLE, disable, 0, 0, 0)
}

// program is the container's first process.
type program struct {
	mu      sync.Mutex
	send    func(unix.Signal) error // nil: kill(2) does
	pid     int                     // 0 before it runs and after it was reaped
	ended   bool                    //
	waiting []unix.Signal           // asked for before it ran
}

func (p *program) run(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = pid
	for _, sig := range p.waiting {
		p.kill(sig)
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
		p.kill(sig)
	}
}

func (p *program) kill(sig unix.Signal) {
	if p.send != nil && p.send(sig) == nil {
		return
	}
	_ = unix.Kill(p.pid, sig)
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

// over reports whether the process has ended.
func (p *program) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// reset makes it the container's next process, which does not run yet.
func (p *program) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended, p.waiting = false, nil
}
