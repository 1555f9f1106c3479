package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/oci"
	"minictr/pkg/terminal"
)

// forwarder stands between the user and a process in the foreground.
type forwarder struct {
	signals chan os.Signal
	ready   chan struct{} // closed when they are taken
	started chan struct{} // closed when there is a process to send them to
	pid     atomic.Int64  // of that process; 0 when it has ended
}

// forwarded are the signals that users and supervisors send. 37 and 38 are
// systemd's SIGRTMIN+3 and +4, halt and power off.
var forwarded = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM,
	syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGPWR, syscall.Signal(37), syscall.Signal(38),
}

// newForwarder begins to take signals, and does so until this process ends. For
// each of them Go asks a thread of its own, which takes a third of a millisecond
// together; meanwhile the bundle can be read and the plan made. It looks around
// first: the plan will soon need that.
func newForwarder() *forwarder {
	f := &forwarder{signals: make(chan os.Signal, 64), ready: make(chan struct{}), started: make(chan struct{})}
	go func() { // ends with this process
		oci.LookAround()
		signal.Notify(f.signals, forwarded...)
		close(f.ready)
		for s := range f.signals {
			<-f.started
			if pid := f.pid.Load(); pid != 0 {
				_ = syscall.Kill(int(pid), s.(syscall.Signal))
			}
		}
	}()
	return f
}

// await returns when no signal can be lost any more. A signal that comes before
// ends this process, so nothing of a container may be there yet.
func (f *forwarder) await() { <-f.ready }

// follow passes signals, and with a console all input and output, on to pid,
// our child, and returns its exit code.
func (f *forwarder) follow(pid int, console *os.File) (int, error) {
	f.pid.Store(int64(pid))
	defer f.pid.Store(0)
	close(f.started)
	if console == nil {
		return oci.Wait(pid)
	}
	return relay(pid, console)
}

// relay connects the user's terminal with the container's.
func relay(pid int, console *os.File) (int, error) {
	defer console.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if isTerminal(os.Stdin) {
		restore, err := terminal.RawInput(os.Stdin)
		if err != nil {
			return 0, err
		}
		defer func() { _ = restore() }()
		go terminal.Follow(ctx, os.Stdin, func(s terminal.Size) { _ = terminal.Resize(console, s) })
	}
	go func() { _, _ = io.Copy(console, os.Stdin) }() // ends with this process: a read from stdin cannot be taken back
	var output sync.WaitGroup
	output.Add(1)
	go func() { // ends when the last process with the terminal has
		defer output.Done()
		_, _ = io.Copy(os.Stdout, console) // EIO is its end
	}()
	code, err := oci.Wait(pid)
	drained := make(chan struct{})
	go func() { output.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(500 * time.Millisecond): // a background process keeps the terminal
	}
	return code, err
}

// userSize is the size of the user's terminal, nil if there is none.
func userSize() *specs.Box {
	if !isTerminal(os.Stdin) {
		return nil
	}
	size, err := terminal.SizeOf(os.Stdin)
	if err != nil {
		return nil
	}
	return &specs.Box{Width: uint(size.Width), Height: uint(size.Height)}
}
