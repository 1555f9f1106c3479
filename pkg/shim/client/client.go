// Package client is the other end of a shim's socket: it starts shims, follows
// the containers they make, and finds those that run.
//
// A [Session] is one connection. It moves bytes between the user's streams and
// the container's, keeps a terminal in raw mode while the container has it,
// passes on its size and the signals the user's command gets, and at the end
// says how the container ended.
//
// A session may end before its container: the user detaches, or the command is
// killed. That is no event in the container's life.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/record"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
	"minictr/pkg/terminal"
)

// Streams are what a session connects to the container. A stream that is nil
// is not connected.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// Terminal is the user's terminal, if the container has one: it is in
	// raw mode while the session lasts, its size is the container's, and
	// DetachKeys typed there end the session.
	Terminal   *os.File
	DetachKeys []byte

	// SigProxy passes the signals that this process gets on to the
	// container. It is without effect with a Terminal, where signals are
	// keys.
	SigProxy bool

	// Lost is told how much output was left out because this process was
	// stopped for too long. May be nil.
	Lost func(bytes uint64)
}

func (s *Streams) wanted() wire.Streams {
	return wire.Streams{Stdin: s.Stdin != nil, Stdout: s.Stdout != nil, Stderr: s.Stderr != nil}
}

// Options say what is to be started and how.
type Options struct {
	Streams
	Dirs record.Dirs
	ID   string
	Shim string // the path of minictr-shim

	// Marker is an open file that the shim holds too, until it has the
	// container's lock: see record.Marker.
	Marker *os.File

	Observe func(step.Event)            // told all that happens while the container is made
	Pause   func(wire.PausePoint) error // asked before every step; an error undoes everything

	Restarts int // how often the policy has started it already

	// For tests: see wire.StartRequest.
	Fault    *wire.Fault
	Patience time.Duration
}

// Start starts a shim, and with it the container. It returns when the
// container's program runs, or with a *wire.Failure that says why it does not.
// The streams are connected from the start.
func Start(ctx context.Context, o Options) (*Session, error) {
	conn, process, err := spawn(o)
	if err != nil {
		return nil, err
	}
	go func() { _, _ = process.Wait() }() // ends with the shim, or with us
	s := newSession(conn, o.Streams)
	s.observe, s.pause = o.Observe, o.Pause
	s.lostShim = func() error { return lostShim(o.Dirs, o.ID) }
	s.ended = func() (wire.Exit, error) { return recorded(o.Dirs, o.ID, 0) }
	request := wire.StartRequest{
		Streams: o.wanted(), Explain: o.Observe != nil, Pause: o.Pause != nil,
		Restarts: o.Restarts, Fault: o.Fault, Patience: o.Patience,
	}
	if o.Terminal != nil {
		if size, err := terminal.SizeOf(o.Terminal); err == nil {
			request.Width, request.Height = size.Width, size.Height
		}
	}
	return s.begin(ctx, wire.Start, request)
}

// shimEnv is how the Go runtime of a shim begins: no garbage collection before
// there is something to collect, two threads that run Go code at most, and no
// huge pages, of which one is more than a shim needs in all (they are the
// default of some distributions). The shim could say most of this itself, but
// that would stop its world, and come too late for the first pages.
var shimEnv = []string{"GOGC=off", "GOMEMLIMIT=16MiB", "GOMAXPROCS=2", "GODEBUG=disablethp=1"}

// spawn starts the shim's process with one end of a socket pair.
func spawn(o Options) (conn *net.UnixConn, process *os.Process, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket pair for the shim: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "shim"), os.NewFile(uintptr(pair[1]), "client")
	defer ours.Close()
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	// What a shim has to say when nobody is connected, a crash at worst.
	log, err := os.OpenFile(logPath(o.Dirs, o.ID), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the shim's log: %w", err)
	}
	defer log.Close()
	marker := o.Marker
	if marker == nil {
		marker = null
	}
	// Inherited, and taken back before the container is made.
	_ = unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0)
	defer func() { _ = unix.Prctl(unix.PR_SET_THP_DISABLE, 0, 0, 0, 0) }()
	process, err = os.StartProcess(o.Shim, []string{filepath.Base(o.Shim), o.Dirs.Container(o.ID)}, &os.ProcAttr{
		Dir:   "/",
		Env:   append(o.Dirs.Env(), shimEnv...),
		Files: []*os.File{null, null, log, theirs, marker},
		Sys:   &syscall.SysProcAttr{Setsid: true}, // the terminal's Ctrl-C is not for the shim
	})
	if err != nil {
		return nil, nil, fmt.Errorf("start the container's shim: %w", err)
	}
	c, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the container's shim: %w", err)
	}
	return c.(*net.UnixConn), process, nil
}

func logPath(dirs record.Dirs, id string) string {
	return filepath.Join(dirs.Container(id), "shim.log")
}

// lostShim is the error when a shim went away without a word.
func lostShim(dirs record.Dirs, id string) error {
	err := errors.New("the container's shim was killed")
	if b, _ := os.ReadFile(logPath(dirs, id)); len(b) > 0 {
		err = fmt.Errorf("%w; it said: %s", err, lastWords(string(b)))
	}
	return err
}

// lastWords is what a shim has said, without where in its program it was: Go
// adds that to what it dies of. The whole text is in the shim's log.
func lastWords(log string) string {
	for _, trace := range []string{"\n\nruntime stack:", "\n\ngoroutine "} {
		log, _, _ = strings.Cut(log, trace)
	}
	return strings.TrimSpace(log[max(0, len(log)-2000):])
}

// ErrNotRunning says that a container has no shim to talk to.
var ErrNotRunning = errors.New("the container is not running")

// Attach connects to a running container. ErrNotRunning if it does not run.
func Attach(ctx context.Context, dirs record.Dirs, id string, streams Streams) (*Session, error) {
	conn, err := dial(dirs, id)
	if err != nil {
		return nil, err
	}
	s := newSession(conn, streams)
	s.lostShim = func() error { return lostShim(dirs, id) }
	s.ended = func() (wire.Exit, error) { return recorded(dirs, id, 0) }
	s, err = s.begin(ctx, wire.Attach, streams.wanted())
	if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) { // it has ended, and did not answer any more
		return nil, lost(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	if streams.Terminal != nil {
		if size, err := terminal.SizeOf(streams.Terminal); err == nil {
			s.Resize(size)
		}
	}
	return s, nil
}

// dial connects to a container's shim. Through a descriptor of its directory
// the path of the socket is short enough for the kernel, whatever Run is.
func dial(dirs record.Dirs, id string) (*net.UnixConn, error) {
	dir, err := os.Open(dirs.RunDir(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the container's shim: %w", err)
	}
	defer dir.Close()
	path := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(dirs.Socket(id)))
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the container's shim: %w", err)
	}
	return conn, nil
}

// Keep hands the container's shim a descriptor of a terminal, to hold it for as
// long as a process has the other side.
func Keep(dirs record.Dirs, id string, master *os.File) error {
	conn, err := dial(dirs, id)
	if err != nil {
		return err
	}
	defer conn.Close()
	raw, err := master.SyscallConn() // Fd would make it block
	if err != nil {
		return err
	}
	var request []byte
	if err := raw.Control(func(fd uintptr) { request, err = wire.Encode(wire.Keep, wire.KeepRequest{FD: int(fd)}) }); err != nil {
		return err
	}
	if err == nil {
		_, err = conn.Write(request)
	}
	if err == nil {
		_, _, err = wire.NewReader(conn).Next()
	}
	if err != nil {
		return fmt.Errorf("hand the terminal to the container's shim: %w", err)
	}
	return nil
}

// Wait waits until a container has ended, and says how. One that does not run
// has ended already.
func Wait(ctx context.Context, dirs record.Dirs, id string) (wire.Exit, error) {
	return WaitRun(ctx, dirs, id, 0)
}

// WaitRun is Wait for the end of one run, whose first process is, or was, pid. If
// another one runs by now, that has ended, nobody knows how.
func WaitRun(ctx context.Context, dirs record.Dirs, id string, pid int) (wire.Exit, error) {
	exit, err := waitRun(ctx, dirs, id, pid)
	if err != nil && ctx.Err() == nil && pid != 0 { // the connection may have broken at the very end
		if recorded, missed := recorded(dirs, id, pid); missed == nil {
			return recorded, nil
		}
	}
	return exit, err
}

func waitRun(ctx context.Context, dirs record.Dirs, id string, pid int) (wire.Exit, error) {
	s, err := Attach(ctx, dirs, id, Streams{})
	if errors.Is(err, ErrNotRunning) {
		exit, err := recorded(dirs, id, pid)
		if !errors.Is(err, errKilled) {
			return exit, err
		}
		// It may just have been started again.
		if s, err = Attach(ctx, dirs, id, Streams{}); errors.Is(err, ErrNotRunning) {
			return wire.Exit{}, errKilled
		}
	}
	if err != nil {
		return wire.Exit{}, err
	}
	defer s.Close()
	if pid != 0 && s.PID() != pid {
		return wire.Exit{}, nil
	}
	return s.Wait(ctx)
}

var errKilled = errors.New("the container's shim was killed")

// recorded is how a container ended, by its record.
func recorded(dirs record.Dirs, id string, pid int) (wire.Exit, error) {
	state, err := record.ReadState(dirs.Container(id))
	if errors.Is(err, os.ErrNotExist) {
		return wire.Exit{}, &record.NotFoundError{Ref: id}
	}
	if err != nil {
		return wire.Exit{}, err
	}
	if state.Live() && pid != 0 && state.Pid != pid {
		return wire.Exit{}, nil
	}
	if state.Live() {
		return wire.Exit{}, errKilled
	}
	return wire.Exit{Code: state.ExitCode, OOMKilled: state.OOMKilled, Error: state.Error}, nil
}

// Signal sends a signal to a container's first process.
func Signal(ctx context.Context, dirs record.Dirs, id string, sig syscall.Signal) error {
	s, err := Attach(ctx, dirs, id, Streams{})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Signal(sig)
}

// Ask asks a container's shim for something, and waits until it is done.
// ErrNotRunning if there is no shim, or none any more.
func Ask(ctx context.Context, dirs record.Dirs, id string, request wire.Request) error {
	conn, err := dial(dirs, id)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := wire.Write(conn, wire.Ask, request); err != nil {
		return lost(ctx, err)
	}
	t, payload, err := wire.NewReader(conn).Next()
	if err != nil {
		return lost(ctx, err)
	}
	var reply wire.Reply
	if t != wire.Answer {
		return fmt.Errorf("the container's shim answers with a frame of type %q", t)
	}
	if err := wire.Decode(payload, &reply); err != nil {
		return err
	}
	if reply.Error != "" {
		return errors.New(reply.Error)
	}
	return nil
}

// lost is why a connection broke: a shim that ends takes its clients along.
func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
		return ErrNotRunning
	}
	return fmt.Errorf("talk to the container's shim: %w", err)
}
