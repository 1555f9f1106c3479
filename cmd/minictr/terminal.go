package main

import (
	"context"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"minictr/pkg/terminal"
)

// forwarded are the signals that users and supervisors send to a command. Go's
// runtime switches threads twice for each signal that is to be caught, and twice
// again to let it go: all 64 of them would cost more than a process in a
// container does.
var forwarded = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM, unix.SIGPWR,
}

// forwardSignals catches the signals that this process gets, until it ends. Who
// calls to gets them, also those that came before. Catching them takes a while,
// which passes while the process is being made that they are for.
func forwardSignals() (to func(send func(os.Signal))) {
	signals := make(chan os.Signal, 64)
	go signal.Notify(signals, forwarded...)
	return func(send func(os.Signal)) {
		go func() {
			for sig := range signals {
				send(sig)
			}
		}()
	}
}

// joinTerminals lets the user's terminal be the one of a process whose master
// is console, until the process's side is closed. left says that the user typed
// the detach keys.
func (a *app) joinTerminals(console *os.File, interactive bool, keys []byte) (left bool, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go terminal.Follow(ctx, os.Stdout, func(s terminal.Size) { _ = terminal.Resize(console, s) })
	typed := make(chan bool, 1)
	if interactive {
		restore, err := terminal.Raw(os.Stdin)
		if err != nil {
			return false, err
		}
		defer func() { _ = restore() }()
		go func() { typed <- typeInto(console, os.Stdin, keys) }()
	}
	printed := make(chan struct{})
	go func() {
		_, _ = io.Copy(a.out, console) // ends with EIO when the other side is closed
		close(printed)
	}()
	for {
		select {
		case <-printed:
			return false, nil
		case left := <-typed:
			if left {
				return true, nil
			}
		}
	}
}

// typeInto passes on what is typed. It reports true when that held the detach
// keys, false at the end of the input.
func typeInto(w io.Writer, r io.Reader, sequence []byte) bool {
	keys := terminal.NewKeys(sequence)
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		pass, found := keys.Filter(buf[:n])
		if len(pass) > 0 {
			if _, werr := w.Write(pass); werr != nil {
				return false
			}
		}
		if found {
			return true
		}
		if err != nil {
			_, _ = w.Write(keys.Flush())
			return false
		}
	}
}
