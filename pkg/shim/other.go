package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/process"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
	"minictr/pkg/terminal"
)

// other is what the shim does around another OCI runtime. The plan ends with
// its create; here is what comes then: wait for create, take the terminal,
// start. Signals go through the runtime's kill; delete is the plan's undo.
type other struct {
	config  *runtime.Config
	console *net.UnixListener // gets the terminal's master; nil without terminal
}

// newOther prepares for a runtime of somebody else's; nil if we make the
// container ourselves.
func newOther(c *runtime.Config, s *stdio, tty bool) (*other, error) {
	if c.Other == nil {
		return nil, nil
	}
	for _, path := range []string{c.PidFile(), c.OtherLog(), c.ConsoleSocket()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err // of an earlier start
		}
	}
	o := &other{config: c}
	var err error
	if !tty {
		if s.input.file == nil { // nobody types
			unix.Close(s.slots[process.Stdin])
			s.slots[process.Stdin], err = runtime.OpenNull()
		}
		return o, err
	}
	if o.console, err = listenAt(c.Bundle, filepath.Base(c.ConsoleSocket())); err != nil {
		return nil, fmt.Errorf("listen for the container's terminal: %w", err)
	}
	for _, slot := range []kernel.Slot{process.Stdin, process.Stdout, process.Stderr} {
		if s.slots[slot], err = runtime.OpenNull(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// take follows create to its end and starts the container. p is the process
// that became create; in its place comes the container's first one.
func (o *other) take(p *step.Process, size terminal.Size) error {
	if err := step.Wait(p.PID, 0); err != nil {
		return o.failed("create", err)
	}
	text, err := os.ReadFile(o.config.PidFile())
	if err == nil {
		p.PID, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		return fmt.Errorf("learn the container's pid from %s: %w", o.name(), err)
	}
	// It is our child now, and nobody else is to be: what a killed exec of the
	// runtime leaves behind would wait for us to reap it, the container's first
	// process, at its end, for that, and we for that one.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("leave orphans to the machine's first process: %w", err)
	}
	if o.console != nil {
		master, err := receiveTerminal(o.console)
		if err != nil {
			return fmt.Errorf("take the terminal that %s has made: %w", o.name(), err)
		}
		if size.Width != 0 {
			_ = terminal.Resize(master, size)
		}
		fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		master.Close()
		if err != nil {
			return err
		}
		p.Slots[terminal.Copy] = uintptr(fd)
	}
	start := o.config.OtherProgram("start", o.config.ID)
	if err := start.Run(p.PID); err != nil {
		return o.failed("start", err)
	}
	return nil
}

// signal has the runtime send a signal: it may be the only one that knows
// where the process is.
func (o *other) signal(sig unix.Signal) error {
	return o.config.OtherProgram("kill", o.config.ID, strconv.Itoa(int(sig))).Run(0)
}

// freeze has the runtime stop all processes, or let them go on.
func (o *other) freeze(on bool) error {
	command := "resume"
	if on {
		command = "pause"
	}
	if err := o.config.OtherProgram(command, o.config.ID).Run(0); err != nil {
		return o.failed(command, err)
	}
	return nil
}

// exec has the runtime start one more process like the container's first, with
// other arguments. The child is the runtime, which ends as the process does; to
// kill it would leave that alone, so kill ends the process, by the number that
// the runtime writes down. While the runtime waits for it nobody else has it.
func (o *other) exec(args []string, in, out int) (child int, kill func(), err error) {
	file := filepath.Join(o.config.Bundle, probePid)
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, nil, err
	}
	// What it has to say, without --log, comes among the check's output.
	argv := append([]string{o.config.Other.Path, "--root", o.config.Other.Root, "exec", "--pid-file", file, o.config.ID}, args...)
	child, err = syscall.ForkExec(o.config.Other.Path, argv, &syscall.ProcAttr{
		Dir: o.config.Bundle, Env: runtime.OtherEnv, Files: []uintptr{uintptr(in), uintptr(out), uintptr(out)},
	})
	if err != nil {
		return 0, nil, fmt.Errorf("run %s exec: %w", o.name(), err)
	}
	return child, func() {
		text, err := os.ReadFile(file)
		pid, cerr := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil || cerr != nil { // it has not come so far
			pid = child
		}
		_ = unix.Kill(pid, unix.SIGKILL)
	}, nil
}

// probePid is where the runtime writes the number of a health check's process.
const probePid = "health.pid"

// observer is who is told of the plan. The process that a plan for another
// runtime ends with is that runtime: the program runs only later.
func (s *shim) observer(c *client) func(step.Event) {
	if s.other == nil {
		return c.event
	}
	return func(e step.Event) {
		if e.Kind != step.ReadyEvent {
			c.event(e)
		}
	}
}

// close gives up the terminal's socket.
func (o *other) close() {
	if o != nil && o.console != nil {
		o.console.Close()
		_ = os.Remove(o.config.ConsoleSocket())
	}
}

func (o *other) name() string { return filepath.Base(o.config.Other.Path) }

// OtherError is what another runtime said.
type OtherError struct {
	Name, Command string
	Said          string // its last error; may be empty
	Err           error  // how it ended
}

func (e *OtherError) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("%s %s: %v", e.Name, e.Command, e.Err)
	}
	return fmt.Sprintf("%s %s: %s", e.Name, e.Command, e.Said)
}

func (e *OtherError) Unwrap() error { return e.Err }

// code is docker's exit code for it. Runtimes tell a program that is missing or
// may not run by words only, more or less the same ones.
func (e *OtherError) code() int {
	said := strings.ToLower(e.Said)
	for _, words := range []struct {
		text string
		code int
	}{
		{"executable file", codeNotFound},
		{"no such file or directory", codeNotFound},
		{"permission denied", codeRefused},
		{"exec format error", codeRefused},
		{"is a directory", codeRefused},
	} {
		if strings.Contains(said, words.text) {
			return words.code
		}
	}
	return codeEngine
}

func (o *other) failed(command string, err error) error {
	text, _ := os.ReadFile(o.config.OtherLog()) // none: it said nothing
	return &OtherError{o.name(), command, lastComplaint(text), err}
}

// lastComplaint finds the last error in a runtime's log.
func lastComplaint(log []byte) string {
	said := ""
	for line := range strings.Lines(string(log)) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal([]byte(line), &entry) == nil && (entry.Level == "error" || entry.Level == "fatal") {
			said = strings.TrimSpace(entry.Msg)
		}
	}
	return said
}

// consolePatience is how long a runtime whose create has ended may take to have
// sent the terminal.
const consolePatience = 10 * time.Second

// receiveTerminal takes a descriptor that comes over the socket (unix(7),
// SCM_RIGHTS).
func receiveTerminal(listener *net.UnixListener) (*os.File, error) {
	if err := listener.SetDeadline(time.Now().Add(consolePatience)); err != nil {
		return nil, err
	}
	conn, err := listener.AcceptUnix()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(consolePatience)); err != nil {
		return nil, err
	}
	name, rights := make([]byte, 256), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(name, rights)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return nil, errors.Join(errors.New("no descriptor came"), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.Join(errors.New("no descriptor came"), err)
	}
	return os.NewFile(uintptr(fds[0]), "terminal"), nil
}
