package network

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

const (
	routeSocket kernel.Slot = "route" // socket of NETLINK_ROUTE
	bridgeMade  kernel.Slot = "bridge-made"
)

// Bridge makes the virtual switch that containers are plugged into, gives the
// host an address on it, and lets the host forward packets. All of it is there
// already when another container runs; two containers that start at once both
// say the same, and the kernel tells the second that it is done.
//
// Its undo ends the endpoint's membership: it gives the address back, and if
// that was the last one, removes the bridge and all rules.
func Bridge(ep *Endpoint) step.Step {
	var calls []kernel.Call
	if !ep.IPForward {
		calls = append(calls, kernel.WriteFile("/proc/sys/net/ipv4/ip_forward", "1")...)
	}
	link := kernel.NewInterface(ep.Bridge)
	made := kernel.NetlinkRequest(kernel.FD(routeSocket), newBridge(ep), fmt.Sprintf("ip link add %s type bridge", ep.Bridge))
	made[1] = made[1].Into(bridgeMade).Allowing(unix.EEXIST)
	up := kernel.NetlinkRequest(kernel.FD(routeSocket), bridgeUp(ep), fmt.Sprintf("ip link set %s up", ep.Bridge))
	gateway := kernel.NetlinkLinkRequest(kernel.FD(routeSocket), addAddress(link, ep),
		fmt.Sprintf("ip addr add %s dev %s", netip.PrefixFrom(ep.Gateway, ep.Subnet.Bits()), ep.Bridge))
	gateway[1] = gateway[1].Allowing(unix.EEXIST)

	calls = append(calls, kernel.NetlinkSocket(kernel.NetlinkRoute).Into(routeSocket))
	calls = append(calls, made...)
	calls = append(calls, up[0].IfFailed(bridgeMade), up[1].IfFailed(bridgeMade))
	calls = append(calls, link.Index(kernel.FD(routeSocket)))
	calls = append(calls, gateway...)
	calls = append(calls, kernel.Close(kernel.FD(routeSocket)))
	return step.Step{
		Name:  "network.bridge",
		Topic: book.Networking,
		Why:   "A bridge is a switch made of software: containers on it reach each other, and the host, which has an address on it too, is their way out.",
		Side:  step.Host,
		Calls: calls,
		Undo:  func(do step.Do) error { return leave(ep, do) },
	}
}

// newBridge makes the interface and sets it up in one message, so that a bridge
// that exists is up. Its Ethernet address is given: else it would be that of
// the port with the lowest one, and change under the containers' ARP caches.
func newBridge(ep *Endpoint) *kernel.Message {
	r := linkRequest(unix.NLM_F_CREATE|unix.NLM_F_EXCL, unix.IFF_UP)
	mac := macOf(ep.Gateway)
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(ep.Bridge)))
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, mac[:]))
	r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(ep.MTU))))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("bridge"))
	r.AddData(info)
	return &kernel.Message{Bytes: r.Serialize(), Show: fmt.Sprintf(
		"RTM_NEWLINK IFF_UP, IFLA_IFNAME=%q, IFLA_ADDRESS=%s, IFLA_MTU=%d, IFLA_INFO_KIND=\"bridge\"", ep.Bridge, mac, ep.MTU)}
}

// bridgeUp is for a bridge that somebody made or took down by hand.
func bridgeUp(ep *Endpoint) *kernel.Message {
	r := linkRequest(0, unix.IFF_UP)
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(ep.Bridge)))
	return &kernel.Message{Bytes: r.Serialize(), Show: fmt.Sprintf("RTM_NEWLINK IFF_UP, IFLA_IFNAME=%q", ep.Bridge)}
}

// addAddress gives the bridge the gateway's address.
func addAddress(link *kernel.Interface, ep *Endpoint) *kernel.LinkMessage {
	r := nl.NewNetlinkRequest(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	msg := nl.NewIfAddrmsg(unix.AF_INET)
	msg.Prefixlen = uint8(ep.Subnet.Bits())
	r.AddData(msg)
	r.AddData(nl.NewRtAttr(unix.IFA_LOCAL, ep.Gateway.AsSlice()))
	broadcast := lastAddr(ep.Subnet)
	r.AddData(nl.NewRtAttr(unix.IFA_BROADCAST, broadcast.AsSlice()))
	return &kernel.LinkMessage{
		Message: kernel.Message{Bytes: r.Serialize(), Show: fmt.Sprintf(
			"RTM_NEWADDR ifa_prefixlen=%d, ifa_index=if_nametoindex(%q), IFA_LOCAL=%s, IFA_BROADCAST=%s",
			ep.Subnet.Bits(), ep.Bridge, ep.Gateway, broadcast)},
		Link:   link,
		Offset: unix.NLMSG_HDRLEN + 4, // ifa_index, behind family, prefix length, flags and scope
	}
}

// linkRequest is an RTM_NEWLINK that sets the given interface flags.
func linkRequest(flags int, set uint32) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.RTM_NEWLINK, flags|unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Flags, msg.Change = set, set
	r.AddData(msg)
	return r
}

// lastAddr is the highest address of an IPv4 prefix.
func lastAddr(p netip.Prefix) netip.Addr {
	a := p.Masked().Addr().As4()
	last := binary.BigEndian.Uint32(a[:]) | (1<<(32-p.Bits()) - 1)
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, last)))
}
