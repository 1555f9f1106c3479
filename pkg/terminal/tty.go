package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// IsTerminal reports whether f is a terminal: only terminals have attributes.
func IsTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// RawInput is Raw, but the user's terminal goes on to do its part of the
// output: where the other one has Options.PlainLines.
func RawInput(f *os.File) (restore func() error, err error) {
	restore, err = Raw(f)
	if err != nil {
		return nil, err
	}
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err == nil {
		t.Oflag |= unix.OPOST
		err = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("put terminal %s into raw mode: %w", f.Name(), err), restore())
	}
	return restore, nil
}

// Raw switches the user's terminal to raw mode and returns what puts it back.
// Every key goes to the container as it is, Ctrl-C included, for the
// container's own terminal does the echo, the editing and the signals.
// restore may be called more than once.
func Raw(f *os.File) (restore func() error, err error) {
	fd := int(f.Fd())
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read the attributes of terminal %s: %w", f.Name(), err)
	}
	raw := *old
	makeRaw(&raw)
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, fmt.Errorf("put terminal %s into raw mode: %w", f.Name(), err)
	}
	return func() error {
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, old); err != nil {
			return fmt.Errorf("put terminal %s back: %w", f.Name(), err)
		}
		return nil
	}, nil
}

// makeRaw is cfmakeraw(3), in its words.
func makeRaw(t *unix.Termios) {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0 // a read returns as soon as there is one key
}

// Size is a terminal's size in characters.
type Size struct {
	Width  uint16 `json:"width"`
	Height uint16 `json:"height"`
}

// SizeOf asks a terminal for its size.
func SizeOf(f *os.File) (Size, error) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return Size{}, fmt.Errorf("ask terminal %s for its size: %w", f.Name(), err)
	}
	return Size{ws.Col, ws.Row}, nil
}

// Resize sets a terminal's size; on a master it is the other side's.
func Resize(f *os.File, s Size) error {
	// No Fd() here: it would switch a master in use to blocking reads.
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: s.Height, Col: s.Width})
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("set the terminal's size to %dx%d: %w", s.Width, s.Height, err)
	}
	return nil
}

// Follow calls resized whenever the window of f has changed, until ctx ends.
func Follow(ctx context.Context, f *os.File, resized func(Size)) {
	winch := make(chan os.Signal, 1)
	signal.Notify(winch, unix.SIGWINCH)
	defer signal.Stop(winch)
	for {
		select {
		case <-ctx.Done():
			return
		case <-winch:
			if s, err := SizeOf(f); err == nil {
				resized(s)
			}
		}
	}
}
