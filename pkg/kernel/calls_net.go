package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Socket is socket(2).
func Socket(domain, typ, protocol Named) Call {
	return call("socket", unix.SYS_SOCKET, domain, typ, protocol)
}

// NetlinkSocket opens a netlink(7) socket of a family: NETLINK_ROUTE for links,
// addresses and routes, NETLINK_NETFILTER for nftables.
func NetlinkSocket(family Named) Call {
	return Socket(Named{"AF_NETLINK", unix.AF_NETLINK}, Named{"SOCK_RAW|SOCK_CLOEXEC", unix.SOCK_RAW | unix.SOCK_CLOEXEC}, family)
}

// The netlink families containers need.
var (
	NetlinkRoute     = Named{"NETLINK_ROUTE", unix.NETLINK_ROUTE}
	NetlinkNetfilter = Named{"NETLINK_NETFILTER", unix.NETLINK_NETFILTER}
)

// NetlinkRequest is two calls: sendto with the message, and recvfrom of the
// acknowledgement, whose error counts as the call's own. The message must ask
// for exactly one (NLM_F_ACK). shell is what a student would type.
func NetlinkRequest(socket Arg, m *Message, shell string) []Call {
	kernelAddr := &unix.RawSockaddrNetlink{Family: unix.AF_NETLINK}
	to := func() string { return "{sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}" }
	return []Call{
		call("sendto", unix.SYS_SENDTO, socket, m, Int(len(m.Bytes)), Int(0),
			memory{unsafe.Pointer(kernelAddr), to}, Int(unsafe.Sizeof(*kernelAddr))).As(shell),
		NetlinkAck(socket),
	}
}

// NetlinkAck receives one acknowledgement; the error in it counts as the
// call's own.
func NetlinkAck(socket Arg) Call {
	reply := make([]byte, 4096)
	// What the buffer will hold is not known before the call, and in a child's
	// memory afterwards; its error is in the result.
	show := func() string { return "{nlmsgerr}" }
	c := call("recvfrom", unix.SYS_RECVFROM, socket, memory{unsafe.Pointer(&reply[0]), show}, Int(len(reply)), Int(0), Null, Null)
	c.kind = ack
	return c
}

// PidfdOpen is pidfd_open(2) on the process whose pid an earlier call saved.
func PidfdOpen(pid Arg) Call {
	return call("pidfd_open", unix.SYS_PIDFD_OPEN, pid, Int(0))
}

// PidfdGetfd is pidfd_getfd(2) (Linux 5.6): a copy of another process's
// descriptor.
func PidfdGetfd(pidfd, fd Arg) Call {
	return call("pidfd_getfd", unix.SYS_PIDFD_GETFD, pidfd, fd, Int(0))
}
