package network

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Plug connects the container: a veth pair, which is a cable with an interface
// at either end. One end is born in the network namespace of the new process,
// as its eth0; the other goes into the bridge.
//
// The order is such that a first packet is not lost. An interface sends only
// after the kernel has noticed its carrier, which comes when both ends are up
// and is noticed at once only at the end that was last; for the other, for the
// bridge's port and for the bridge itself a worker does it when it finds time.
// Asking for the carrier's state makes that happen now. A lost packet would be
// repeated after a second, which is longer than many a container lives.
func Plug(ep *Endpoint) step.Step {
	s, bridge := kernel.FD(routeSocket), kernel.NewInterface(ep.Bridge)
	calls := []kernel.Call{kernel.NetlinkSocket(kernel.NetlinkRoute).Into(routeSocket), bridge.Index(s)}
	calls = append(calls, kernel.NetlinkRequest(s, newVeth(ep),
		fmt.Sprintf("ip link add %s netns $PID up type veth peer name %s", ContainerLink, ep.HostLink))...)
	calls = append(calls, kernel.NetlinkLinkRequest(s, enslave(bridge, ep),
		fmt.Sprintf("ip link set %s master %s up", ep.HostLink, ep.Bridge))...)
	if len(ep.Ports) > 0 {
		calls = append(calls, kernel.NetlinkRequest(s, hairpin(ep),
			fmt.Sprintf("ip link set %s type bridge_slave hairpin on", ep.HostLink))...)
	}
	calls = append(calls,
		kernel.LinkState(s, ep.HostLink).As("ethtool "+ep.HostLink),
		kernel.LinkState(s, ep.Bridge).As("ethtool "+ep.Bridge),
		kernel.Close(s))
	return step.Step{
		Name:  "network.plug",
		Topic: book.Networking,
		Why:   "A veth pair is a cable with two ends: one becomes eth0 in the container's network namespace, the other goes into the bridge.",
		Side:  step.Host,
		Calls: calls,
		Undo:  func(do step.Do) error { return unplug(ep, do) },
	}
}

// newVeth makes the pair. The container's end is the main one, since only that
// can be set up by the same message: the other is not yet joined to it then.
func newVeth(ep *Endpoint) *kernel.Message {
	const pidMark = 0xc41d9e00
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.VETH_INFO_PEER, nil)
	peer.AddChild(nl.NewIfInfomsg(unix.AF_UNSPEC))
	peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(ep.HostLink))
	peer.AddRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(ep.MTU)))

	r := linkRequest(unix.NLM_F_CREATE|unix.NLM_F_EXCL, unix.IFF_UP)
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(ContainerLink)))
	r.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, ep.MAC[:]))
	r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(ep.MTU))))
	r.AddData(nl.NewRtAttr(unix.IFLA_NET_NS_PID, nl.Uint32Attr(pidMark)))
	r.AddData(info)
	b := r.Serialize()
	return &kernel.Message{
		Bytes:   b,
		Patches: []kernel.Patch{{Offset: find(b, pidMark), Slot: step.PID}},
		Show: fmt.Sprintf("RTM_NEWLINK IFF_UP, IFLA_IFNAME=%q, IFLA_ADDRESS=%s, IFLA_MTU=%d, IFLA_NET_NS_PID=%%s, "+
			"IFLA_INFO_KIND=\"veth\", VETH_INFO_PEER={IFLA_IFNAME=%q, IFLA_MTU=%[3]d}", ContainerLink, ep.MAC, ep.MTU, ep.HostLink),
	}
}

// enslave puts the host's end into the bridge and sets it up.
func enslave(bridge *kernel.Interface, ep *Endpoint) *kernel.LinkMessage {
	const bridgeMark = 0xb41d6e00
	r := linkRequest(0, unix.IFF_UP)
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(ep.HostLink)))
	r.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(bridgeMark)))
	b := r.Serialize()
	show := fmt.Sprintf("RTM_NEWLINK IFF_UP, IFLA_IFNAME=%q, IFLA_MASTER=if_nametoindex(%q)", ep.HostLink, ep.Bridge)
	return &kernel.LinkMessage{Message: kernel.Message{Bytes: b, Show: show}, Link: bridge, Offset: find(b, bridgeMark)}
}

// hairpin lets the bridge send a packet back to where it came from. That
// happens when a container uses its own published port, and the bridge calls
// the IP firewall (bridge-nf-call-iptables), which rewrites the destination.
func hairpin(ep *Endpoint) *kernel.Message {
	r := linkRequest(0, 0)
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(ep.HostLink)))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated("bridge"))
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_DATA, nil).AddRtAttr(nl.IFLA_BRPORT_MODE, nl.Uint8Attr(1))
	r.AddData(info)
	show := fmt.Sprintf("RTM_NEWLINK IFLA_IFNAME=%q, IFLA_INFO_SLAVE_KIND=\"bridge\", IFLA_BRPORT_MODE=1", ep.HostLink)
	return &kernel.Message{Bytes: r.Serialize(), Show: show}
}

// find locates a placeholder, which occurs once in the message.
func find(message []byte, mark uint32) int {
	return bytes.Index(message, binary.NativeEndian.AppendUint32(nil, mark))
}

// unplug removes the pair. Twice is no harm: an interface that is not there is
// as good as removed, also if the kernel removed it with its namespace.
func unplug(ep *Endpoint, do step.Do) error {
	return deleteLink(ep.HostLink, do)
}

func deleteLink(name string, do step.Do) error {
	r := nl.NewNetlinkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	m := &kernel.Message{Bytes: r.Serialize(), Show: fmt.Sprintf("RTM_DELLINK IFLA_IFNAME=%q", name)}
	calls := kernel.NetlinkRequest(kernel.FD(routeSocket), m, "ip link del "+name)
	calls[1] = calls[1].Allowing(unix.ENODEV)
	return doOn(do, kernel.NetlinkRoute, routeSocket, calls)
}

// doOn makes calls on a netlink socket of their own.
func doOn(do step.Do, family kernel.Named, slot kernel.Slot, calls []kernel.Call) error {
	if err := do(kernel.NetlinkSocket(family).Into(slot)); err != nil {
		return err
	}
	var first error
	for _, c := range calls {
		if err := do(c); err != nil && first == nil {
			first = err
		}
	}
	if err := do(kernel.Close(kernel.FD(slot))); first == nil {
		first = err
	}
	return first
}
