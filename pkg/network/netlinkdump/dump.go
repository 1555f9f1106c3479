// Package netlinkdump asks the kernel for lists: of routes, of chains, of
// rules. It only reads, so its calls are no part of any plan.
//
// It does with a socket of its own what the netlink library does with one of
// Go's network poller, in a tenth of the time: every start of a container asks.
//
// Chapter: Docker Networking. Man page: netlink(7), on NLM_F_DUMP.
package netlinkdump

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ErrInterrupted says that the list was changed while it was read: it may lack
// something, or have it twice.
var ErrInterrupted = errors.New("the list was changed while it was read")

// List sends request, which has NLM_F_DUMP, to the protocol's netlink family
// and returns the bodies of the answers of type answer.
func List(protocol int, request *nl.NetlinkRequest, answer uint16) ([][]byte, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, request.Serialize(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("ask by netlink: %w", err)
	}
	var found [][]byte
	buf := make([]byte, 32<<10) // as much as the kernel puts into one datagram
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read netlink's answer: %w", err)
		}
		done, err := take(buf[:n], answer, &found)
		if done || err != nil {
			return found, err
		}
	}
}

// take reads one datagram: any number of messages, the last of all is DONE.
func take(datagram []byte, answer uint16, found *[][]byte) (done bool, err error) {
	messages, err := syscall.ParseNetlinkMessage(datagram)
	if err != nil {
		return true, fmt.Errorf("read netlink's answer: %w", err)
	}
	for _, m := range messages {
		switch {
		case m.Header.Type == unix.NLMSG_DONE && m.Header.Flags&unix.NLM_F_DUMP_INTR != 0:
			return true, ErrInterrupted
		case m.Header.Type == unix.NLMSG_DONE:
			return true, nil
		case m.Header.Type == unix.NLMSG_ERROR:
			if len(m.Data) < 4 {
				return true, unix.EBADMSG
			}
			return true, syscall.Errno(-int32(nl.NativeEndian().Uint32(m.Data)))
		case m.Header.Type == answer:
			*found = append(*found, bytes.Clone(m.Data))
		}
	}
	return false, nil
}
