package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// converse SCRIPT OUTPUT COMMAND...: a user at a terminal, who reads before
// typing. Each line of the script is `wait "TEXT"`, for the screen to show that,
// or `type "KEYS"`. What the screen showed is in OUTPUT afterwards.
func converse(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: converse SCRIPT OUTPUT COMMAND...")
	}
	master, slave, err := openTerminal()
	ts.Check(err)
	defer master.Close()
	path, err := exec.LookPath(args[2])
	if at := strings.Split(ts.Getenv("PATH"), ":")[0] + "/" + args[2]; err != nil || fileThere(at) {
		path = at
	}
	cmd := exec.Command(path, args[3:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environ(ts)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ts.Check(cmd.Start())
	slave.Close()
	s := &screen{master: master}
	deadline := time.Now().Add(20 * time.Second)
	_ = master.SetReadDeadline(deadline)
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if err := s.obey(strings.TrimSpace(line)); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			ts.Fatalf("%s: %v; the screen:\n%s", strings.TrimSpace(line), err, s.shown.String())
		}
	}
	for s.read() == nil {
	}
	err = cmd.Wait()
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), s.shown.Bytes(), 0o600))
	if (err != nil) != neg {
		ts.Fatalf("%s: %v; the screen:\n%s", args[2], err, s.shown.String())
	}
}

func fileThere(path string) bool { _, err := os.Stat(path); return err == nil }

// environ are the script's variables that minictr and a shell need.
func environ(ts *testscript.TestScript) (env []string) {
	for _, name := range []string{"PATH", "HOME", "TERM", "WORK", "MINICTR_ROOT", "MINICTR_RUN", "MINICTR_SHIM"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// screen is what the user sees; seen is how much of it has been waited for.
type screen struct {
	master *os.File
	shown  bytes.Buffer
	seen   int
}

func (s *screen) obey(line string) error {
	verb, quoted, _ := strings.Cut(line, " ")
	if verb == "" {
		return nil
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return err
	}
	switch verb {
	case "type":
		_, err := s.master.WriteString(text)
		return err
	case "wait":
		for {
			if at := bytes.Index(s.shown.Bytes()[s.seen:], []byte(text)); at >= 0 {
				s.seen += at + len(text)
				return nil
			}
			if err := s.read(); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("want type or wait")
}

// read reads on; it fails when the other side is closed (EIO).
func (s *screen) read() error {
	var buf [4096]byte
	n, err := s.master.Read(buf[:])
	s.shown.Write(buf[:n])
	return err
}

// openTerminal makes a pair of pseudo terminals (pty(7)).
func openTerminal() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, nil, err
	}
	return os.NewFile(uintptr(fd), "terminal"), slave, nil
}
