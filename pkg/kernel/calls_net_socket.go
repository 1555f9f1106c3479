package kernel

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What IPv4 sockets are made of.
var (
	AfInet      = Named{"AF_INET", unix.AF_INET}
	SockStream  = Named{"SOCK_STREAM|SOCK_CLOEXEC", unix.SOCK_STREAM | unix.SOCK_CLOEXEC}
	SockDgram   = Named{"SOCK_DGRAM|SOCK_CLOEXEC", unix.SOCK_DGRAM | unix.SOCK_CLOEXEC}
	IPProtoIP   = Named{"IPPROTO_IP", unix.IPPROTO_IP}
	IPProtoTCP  = Named{"IPPROTO_TCP", unix.IPPROTO_TCP}
	IPProtoUDP  = Named{"IPPROTO_UDP", unix.IPPROTO_UDP}
	IPProtoSCTP = Named{"IPPROTO_SCTP", unix.IPPROTO_SCTP}
)

// InetSocket opens an IPv4 datagram socket: what interface ioctls are made on
// (netdevice(7)).
func InetSocket() Call { return Socket(AfInet, SockDgram, IPProtoIP) }

// Bind is bind(2) to an IPv4 address and port.
func Bind(fd Arg, addr netip.Addr, port uint16) Call {
	sa := sockaddrIn(addr, port)
	show := func() string { return sockaddrText(addr, port) }
	return call("bind", unix.SYS_BIND, fd, memory{unsafe.Pointer(sa), show}, Int(unsafe.Sizeof(*sa)))
}

// Listen is listen(2).
func Listen(fd Arg, backlog int) Call { return call("listen", unix.SYS_LISTEN, fd, Int(backlog)) }

// SetReuseAddr is setsockopt(2) with SO_REUSEADDR: connections of an earlier
// owner that are still winding down (TIME_WAIT) do not keep the port.
func SetReuseAddr(fd Arg) Call {
	one := int32(1)
	return call("setsockopt", unix.SYS_SETSOCKOPT, fd, Named{"SOL_SOCKET", unix.SOL_SOCKET},
		Named{"SO_REUSEADDR", unix.SO_REUSEADDR}, memory{unsafe.Pointer(&one), func() string { return "[1]" }}, Int(4))
}
