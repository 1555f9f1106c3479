package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"minictr/pkg/engine"
	"minictr/pkg/image"
	"minictr/pkg/kernel"
	"minictr/pkg/shim/wire"
	"minictr/pkg/step"
)

// Docker's exit codes: of the engine itself, and of its client.
const (
	codeEngine   = 125 // the container was not made; also wrong flags
	codeRefused  = 126 // the program is there and may not be run
	codeNotFound = 127 // there is no such program
	codeClient   = 1   // any other command that failed
)

// exitError ends the program with a code. Without err nothing is printed: what
// there was to say has been said, or the container has said it.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

// exit is the error that ends the program with code, silently.
func exit(code int) error {
	if code == 0 {
		return nil
	}
	return &exitError{code: code}
}

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// complain prints what is wrong, in one line, and a second with the way out
// where one is known. It returns the exit code.
func (a *app) complain(cmd *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	code := codeClient
	var usage *usageError
	if errors.As(err, &usage) {
		code = codeEngine
	}
	var end *exitError
	if errors.As(err, &end) {
		code = end.code
		if end.err == nil {
			return code
		}
	}
	fmt.Fprintf(a.err, "minictr: %s\n", oneLine(err))
	if h := hint(cmd, err); h != "" {
		fmt.Fprintf(a.err, "hint: %s\n", h)
	}
	return code
}

// oneLine keeps an error of several parts, or one that quotes somebody else's
// text, to a line. Control characters could do anything to a terminal.
func oneLine(err error) string {
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, text)
}

// hint is the way out, or "".
func hint(cmd *cobra.Command, err error) string {
	var failed *wire.Failure
	var broken *step.Error
	var own *hinted
	switch {
	case errors.As(err, &own):
		return own.hint
	case errors.As(err, &failed):
		return failed.Hint
	case errors.As(err, &broken):
		return broken.Hint()
	case errors.Is(err, engine.ErrNotRoot):
		return "try again with sudo"
	case errors.As(err, new(*usageError)):
		return fmt.Sprintf("see '%s --help'", cmd.CommandPath())
	}
	return imageHint(err)
}

func imageHint(err error) string {
	switch {
	case errors.Is(err, image.ErrUnauthorized):
		return "minictr uses docker's credential files: log in with 'docker login', or write ~/.docker/config.json"
	case errors.Is(err, image.ErrUnreachable):
		return "is there a network, and is the registry's name right?"
	case errors.Is(err, image.ErrInUse):
		return "'minictr ps -a' shows the containers; 'minictr rmi -f' takes the name away all the same"
	}
	return ""
}

// startError says why a container did not start, with docker's exit code.
func startError(c *engine.Container, err error) error {
	return execError(c.Args[0], err)
}

// execError is about a program that was to be started. That there is no such
// program happens to everybody, so it is said in words and not as a call.
func execError(program string, err error) error {
	if err == nil {
		return nil
	}
	code, errno := codeEngine, syscall.Errno(0)
	var failed *wire.Failure
	var broken *step.Error
	switch {
	case errors.As(err, &failed):
		code, errno = failed.Code, syscall.Errno(failed.Errno)
	case errors.As(err, &broken):
		code, errno = execCode(broken), broken.Errno()
	default:
		return err
	}
	switch code {
	case codeRefused:
		err = &hinted{fmt.Errorf("cannot run %q in the container: %w", program, errno), kernel.Hint("execve", errno)}
	case codeNotFound:
		err = &hinted{fmt.Errorf("there is no %q in the container", program), kernel.Hint("execve", errno)}
	}
	return &exitError{code, err}
}

// hinted is an error that brings its way out along.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// execCode is docker's exit code for a program that could not be started.
func execCode(broken *step.Error) int {
	var call *kernel.CallError
	if !errors.As(broken, &call) || !call.Call.IsExec() || call.Killed {
		return codeEngine
	}
	switch call.Errno {
	case unix.ENOENT, unix.ENOTDIR:
		return codeNotFound
	case unix.EACCES, unix.EPERM, unix.ENOEXEC, unix.EISDIR, unix.ELIBBAD:
		return codeRefused
	}
	return codeEngine
}
