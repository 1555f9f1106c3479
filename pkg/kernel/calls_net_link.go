package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ifreq is struct ifreq of netdevice(7): a name and a union of 24 bytes.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

func newIfreq(name string) *ifreq {
	r := new(ifreq)
	copy(r.name[:unix.IFNAMSIZ-1], name)
	return r
}

// Interface is a network interface that a plan knows by its name while netlink
// wants its number. Index asks the kernel for it, and a LinkMessage made with
// the same Interface carries the answer.
//
// The answer stays in the process that asked: a LinkMessage is for the calls
// of a Host, not for those of a spawned child.
type Interface struct {
	name string
	req  *ifreq
}

// NewInterface returns the interface called name, its number not yet known.
func NewInterface(name string) *Interface { return &Interface{name, newIfreq(name)} }

func (i *Interface) number() uint32 { return binary.NativeEndian.Uint32(i.req.data[:]) }

// Index is ioctl(2) with SIOCGIFINDEX: which number does the interface have?
// Any socket will do, a netlink one too.
func (i *Interface) Index(socket Arg) Call {
	show := func() string {
		if i.number() == 0 {
			return fmt.Sprintf("{ifr_name=%q}", i.name)
		}
		return fmt.Sprintf("{ifr_name=%q, ifr_ifindex=%d}", i.name, i.number())
	}
	return Ioctl(socket, Named{"SIOCGIFINDEX", unix.SIOCGIFINDEX}, memory{unsafe.Pointer(i.req), show})
}

// LinkMessage is a Message with the number of an interface in it, at Offset.
type LinkMessage struct {
	Message
	Link   *Interface
	Offset int
}

func (m *LinkMessage) word(t *table) operand {
	patched := m.Message
	patched.Bytes = bytes.Clone(m.Bytes)
	binary.NativeEndian.PutUint32(patched.Bytes[m.Offset:], m.Link.number())
	return patched.word(t)
}

// NetlinkLinkRequest is NetlinkRequest for a message about an interface.
func NetlinkLinkRequest(socket Arg, m *LinkMessage, shell string) []Call {
	calls := NetlinkRequest(socket, &m.Message, shell)
	calls[0].Args[1] = m
	return calls
}

// NetlinkPeek receives one reply if there is one, and fails with EAGAIN if
// not. Like NetlinkAck it counts an error in the reply as its own.
func NetlinkPeek(socket Arg) Call {
	c := NetlinkAck(socket)
	c.Args[3] = Named{"MSG_DONTWAIT", unix.MSG_DONTWAIT}
	return c
}

// NetlinkReply receives one reply whatever it says.
func NetlinkReply(socket Arg) Call {
	c := NetlinkAck(socket)
	c.Args[1] = memory{c.Args[1].(memory).ptr, func() string { return "{…}" }}
	c.kind = plain
	return c
}

// SetInterfaceFlags is ioctl(2) with SIOCSIFFLAGS; up is all a loopback
// interface needs.
func SetInterfaceFlags(socket Arg, name string, flags uint16, text string) Call {
	r := newIfreq(name)
	binary.NativeEndian.PutUint16(r.data[:], flags)
	show := func() string { return fmt.Sprintf("{ifr_name=%q, ifr_flags=%s}", name, text) }
	return Ioctl(socket, Named{"SIOCSIFFLAGS", unix.SIOCSIFFLAGS}, memory{unsafe.Pointer(r), show})
}

// ifreqPointer is an ifreq whose union holds ifr_data, typed so that the
// garbage collector knows what it points to.
type ifreqPointer struct {
	name [unix.IFNAMSIZ]byte
	data *ethtoolValue
	_    [16]byte
}

// ethtoolValue is struct ethtool_value of linux/ethtool.h.
type ethtoolValue struct{ cmd, _ uint32 }

// LinkState is ioctl(2) with SIOCETHTOOL and ETHTOOL_GLINK: does the interface
// have a carrier? Since Linux 6.8 the kernel first does what it put off when
// the carrier came, so that afterwards the interface really sends.
func LinkState(socket Arg, name string) Call {
	r := &ifreqPointer{name: newIfreq(name).name, data: &ethtoolValue{cmd: unix.ETHTOOL_GLINK}}
	show := func() string { return fmt.Sprintf("{ifr_name=%q, ifr_data={ETHTOOL_GLINK}}", name) }
	return Ioctl(socket, Named{"SIOCETHTOOL", unix.SIOCETHTOOL}, memory{unsafe.Pointer(r), show})
}

// SetInterfaceAddr is ioctl(2) with SIOCSIFADDR: the interface's IPv4 address,
// with the network mask of the address's historical class.
func SetInterfaceAddr(socket Arg, name string, addr netip.Addr) Call {
	return interfaceAddr(socket, Named{"SIOCSIFADDR", unix.SIOCSIFADDR}, "ifr_addr", name, addr)
}

// SetInterfaceNetmask is ioctl(2) with SIOCSIFNETMASK. It changes nothing if
// the mask is that already.
func SetInterfaceNetmask(socket Arg, name string, bits int) Call {
	mask := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-bits))))
	return interfaceAddr(socket, Named{"SIOCSIFNETMASK", unix.SIOCSIFNETMASK}, "ifr_netmask", name, mask)
}

func interfaceAddr(socket Arg, request Named, field, name string, addr netip.Addr) Call {
	r := newIfreq(name)
	sa := sockaddrIn(addr, 0)
	copy(r.data[:], unsafe.Slice((*byte)(unsafe.Pointer(sa)), unsafe.Sizeof(*sa)))
	show := func() string {
		return fmt.Sprintf("{ifr_name=%q, %s=%s}", name, field, sockaddrText(addr, 0))
	}
	return Ioctl(socket, request, memory{unsafe.Pointer(r), show})
}

// rtentry is struct rtentry of route(8)'s ioctl, as on every 64-bit Linux.
type rtentry struct {
	_                     uintptr
	dst, gateway, genmask unix.RawSockaddrInet4
	flags                 uint16
	_                     int16
	_                     [2]uintptr
	_                     int16 // metric
	_                     [3]uintptr
	_                     uint16 // irtt
}

// AddDefaultRoute is ioctl(2) with SIOCADDRT: everything without a better route
// goes to gateway. The kernel finds the interface by the gateway's address.
func AddDefaultRoute(socket Arg, gateway netip.Addr) Call {
	any4 := netip.IPv4Unspecified()
	r := &rtentry{
		dst: *sockaddrIn(any4, 0), gateway: *sockaddrIn(gateway, 0), genmask: *sockaddrIn(any4, 0),
		flags: unix.RTF_UP | unix.RTF_GATEWAY,
	}
	show := func() string {
		return fmt.Sprintf("{rt_dst=%s, rt_gateway=%s, rt_genmask=%[1]s, rt_flags=RTF_UP|RTF_GATEWAY}",
			sockaddrText(any4, 0), sockaddrText(gateway, 0))
	}
	return Ioctl(socket, Named{"SIOCADDRT", unix.SIOCADDRT}, memory{unsafe.Pointer(r), show})
}

func sockaddrIn(addr netip.Addr, port uint16) *unix.RawSockaddrInet4 {
	sa := &unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: addr.As4()}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:], port)
	return sa
}

func sockaddrText(addr netip.Addr, port uint16) string {
	return fmt.Sprintf("{sa_family=AF_INET, sin_port=htons(%d), sin_addr=inet_addr(%q)}", port, addr.String())
}
