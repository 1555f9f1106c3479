package oci

import (
	"fmt"
	"os"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// sendConsole sends the master of a terminal over the unix socket at path.
// Whoever listens owns the terminal from then on.
func sendConsole(path string, master *os.File) error { return send("console", path, master) }

// sendPidfd sends a descriptor of the process: whoever listens can signal it and
// wait for it, even when its number is another process's.
func sendPidfd(path string, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd of process %d: %w", pid, err)
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	defer file.Close()
	return send("pidfd", path, file)
}

// send sends a file's name as data and the descriptor beside it (unix(7),
// SCM_RIGHTS).
func send(what, path string, file *os.File) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s socket: %w", what, err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return fmt.Errorf("connect to the %s socket %s: %w", what, path, err)
	}
	if err := unix.Sendmsg(fd, []byte(file.Name()), unix.UnixRights(int(file.Fd())), nil, 0); err != nil {
		return fmt.Errorf("send to the %s socket %s: %w", what, path, err)
	}
	return nil
}

// listenFDs is how many sockets systemd's socket activation handed to us (from
// descriptor 3 on); the container's program gets them.
func listenFDs() int {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// passListenFDs tells the program of them: it is process 1 in the container.
func passListenFDs(p *specs.Process) {
	if n := listenFDs(); n > 0 && p != nil {
		p.Env = append(p.Env, "LISTEN_FDS="+strconv.Itoa(n), "LISTEN_PID=1")
		if names := os.Getenv("LISTEN_FDNAMES"); names != "" {
			p.Env = append(p.Env, "LISTEN_FDNAMES="+names)
		}
	}
}

// CheckFDs reports the first of n descriptors from 3 on that is not open. It
// must be asked before this process opens files of its own.
func CheckFDs(n int) error {
	for fd := 3; fd < 3+n; fd++ {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return fmt.Errorf("preserve-fds: descriptor %d is not open", fd)
		}
	}
	return nil
}
