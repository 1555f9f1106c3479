package shim

import (
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"minictr/pkg/shim/wire"
)

// keep holds the terminal of a process that somebody has run in the container
// and detached from, and reads what it prints, until the process ends.
func (cs *clients) keep(c *client, payload []byte) {
	defer c.conn.Close()
	var request wire.KeepRequest
	if err := wire.Decode(payload, &request); err != nil {
		return
	}
	master, err := takeDescriptor(c.conn, request.FD)
	if err != nil {
		fmt.Fprintln(os.Stderr, "minictr-shim: keep a terminal:", err)
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, master) // until EIO: nobody has the other side any more
		master.Close()
	}()
	c.send(wire.Attached, wire.Running{})
}

// takeDescriptor copies a descriptor out of the process at the other end of a
// connection; see pidfd_getfd(2). That it is a client's own is certain: the
// kernel says whose process it is (SO_PEERCRED, unix(7)), and it waits for us.
func takeDescriptor(conn *net.UnixConn, number int) (*os.File, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var peer *unix.Ucred
	if err := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	pidfd, err := unix.PidfdOpen(int(peer.Pid), 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, number, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "terminal"), nil
}
