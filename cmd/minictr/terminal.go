package main

import (
	"context"
	"io"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"minictr/pkg/terminal"
)

// forwardSignals passes on the signals that this process gets, as docker's
// --sig-proxy: all but those that speak of this process itself. It ends with
// stop.
func forwardSignals(send func(os.Signal)) (stop func()) {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sig := range signals {
			switch sig {
			case unix.SIGCHLD, unix.SIGPIPE, unix.SIGURG, unix.SIGWINCH, unix.SIGTTIN, unix.SIGTTOU, unix.SIGTSTP, unix.SIGCONT:
			default:
				send(sig)
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
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
