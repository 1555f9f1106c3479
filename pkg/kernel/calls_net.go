package kernel

import (
	"fmt"
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
// for exactly one (NLM_F_ACK). show prints it, shell is what a student would type.
func NetlinkRequest(socket Arg, message []byte, show, shell string) []Call {
	kernelAddr := &unix.RawSockaddrNetlink{Family: unix.AF_NETLINK}
	to := func() string { return "{sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}" }
	reply := make([]byte, 4096)
	return []Call{
		call("sendto", unix.SYS_SENDTO, socket,
			memory{unsafe.Pointer(unsafe.SliceData(message)), func() string { return "{" + show + "}" }},
			Int(len(message)), Int(0), memory{unsafe.Pointer(kernelAddr), to}, Int(unsafe.Sizeof(*kernelAddr))).As(shell),
		{
			Name: "recvfrom", Nr: unix.SYS_RECVFROM, kind: ack,
			Args: []Arg{
				socket, memory{unsafe.Pointer(&reply[0]), func() string { return fmt.Sprintf("{ack of %s}", show) }},
				Int(len(reply)), Int(0), Null, Null,
			},
		},
	}
}
