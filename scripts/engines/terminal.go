package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// conversation is what a user at a terminal of 33 lines would type into a shell: it has a terminal, of his size (which
// engines pass on a moment after the start), and its exit code is the command's.
const conversation = `tty
while [ "$(stty size)" != "33 77" ]; do sleep 0.1; done
echo size-$((6*7))-right
read answer; exit 4
`

// lastWord is what conversation prints when all is well. The user answers when he has seen it: some engines' last words
// get lost when a program ends.
const lastWord = "size-42-right"

// terminal runs a command with a terminal and has the conversation.
func (b *bench) terminal(argv []string) error {
	master, slave, err := openPTY()
	if err != nil {
		return err
	}
	defer master.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "TERM=xterm")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		return err
	}
	killer := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer killer.Stop()
	screen := watch(master)
	if err := eventually(func() (bool, error) { return strings.Contains(screen.text(), "#"), nil }); err != nil {
		_ = cmd.Process.Kill()
		return errors.Join(fmt.Errorf("no prompt: %q", screen.text()), cmd.Wait())
	}
	if _, err := master.WriteString(conversation); err != nil {
		return err
	}
	if err := eventually(func() (bool, error) { return strings.Contains(screen.text(), lastWord), nil }); err != nil {
		_ = cmd.Process.Kill()
		return errors.Join(fmt.Errorf("the size did not arrive: %q", screen.text()), cmd.Wait())
	}
	if _, err := master.WriteString("\n"); err != nil {
		return err
	}
	failure := cmd.Wait()
	var exit *exec.ExitError
	said := screen.text()
	switch {
	case !errors.As(failure, &exit) || exit.ExitCode() != 4:
		return fmt.Errorf("it ended with %v, want exit code 4: %q", failure, said)
	case !strings.Contains(said, "/dev/"):
		return fmt.Errorf("no name of a terminal: %q", said)
	}
	return nil
}

// openPTY makes a terminal of 33 lines of 77 characters.
func openPTY() (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 33, Col: 77})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("make a terminal: %w", err)
	}
	return master, slave, nil
}

// screen keeps what a terminal shows.
type screen struct {
	mu sync.Mutex
	b  []byte
}

// watch reads until the last process has closed the terminal.
func watch(master *os.File) *screen {
	s := new(screen)
	go func() {
		p := make([]byte, 4096)
		for {
			n, err := master.Read(p)
			s.mu.Lock()
			s.b = append(s.b, p[:n]...)
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.b)
}
