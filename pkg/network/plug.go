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

// Plug connects the container with one message: a veth pair, which is a cable
// with an interface at either end. This end goes into the bridge, the other is
// born in the network namespace of the new process, as its eth0.
func Plug(ep *Endpoint) step.Step {
	bridge := kernel.NewInterface(ep.Bridge)
	shell := fmt.Sprintf("ip link add %s master %s type veth peer name %s netns $PID", ep.HostLink, ep.Bridge, ContainerLink)
	calls := []kernel.Call{kernel.NetlinkSocket(kernel.NetlinkRoute).Into(routeSocket), bridge.Index(kernel.FD(routeSocket))}
	calls = append(calls, kernel.NetlinkLinkRequest(kernel.FD(routeSocket), newVeth(bridge, ep), shell)...)
	calls = append(calls, kernel.Close(kernel.FD(routeSocket)))
	return step.Step{
		Name:  "network.plug",
		Topic: book.Networking,
		Why:   "A veth pair is a cable with two ends: one goes into the bridge, the other becomes eth0 in the container's network namespace.",
		Side:  step.Host,
		Calls: calls,
		Undo:  func(do step.Do) error { return unplug(ep, do) },
	}
}

// newVeth makes both ends, and sets ours up; the other cannot be before the two
// are joined. The numbers of the bridge and of the process are filled in when
// the message is sent; placeholders mark where.
func newVeth(bridge *kernel.Interface, ep *Endpoint) *kernel.LinkMessage {
	const bridgeMark, pidMark = 0xb41d6e00, 0xc41d9e00
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("veth"))
	peer := info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.VETH_INFO_PEER, nil)
	peer.AddChild(nl.NewIfInfomsg(unix.AF_UNSPEC))
	peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(ContainerLink))
	peer.AddRtAttr(unix.IFLA_ADDRESS, ep.MAC[:])
	peer.AddRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(ep.MTU)))
	peer.AddRtAttr(unix.IFLA_NET_NS_PID, nl.Uint32Attr(pidMark))

	r := linkRequest(unix.NLM_F_CREATE|unix.NLM_F_EXCL, unix.IFF_UP)
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(ep.HostLink)))
	r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(ep.MTU))))
	r.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(bridgeMark)))
	r.AddData(info)
	b := r.Serialize()
	return &kernel.LinkMessage{
		Message: kernel.Message{
			Bytes:   b,
			Patches: []kernel.Patch{{Offset: find(b, pidMark), Slot: step.PID}},
			Show: fmt.Sprintf("RTM_NEWLINK IFF_UP, IFLA_IFNAME=%q, IFLA_MTU=%d, IFLA_MASTER=if_nametoindex(%q), IFLA_INFO_KIND=\"veth\", "+
				"VETH_INFO_PEER={IFLA_IFNAME=%q, IFLA_ADDRESS=%s, IFLA_MTU=%d, IFLA_NET_NS_PID=%%s}",
				ep.HostLink, ep.MTU, ep.Bridge, ContainerLink, ep.MAC, ep.MTU),
		},
		Link:   bridge,
		Offset: find(b, bridgeMark),
	}
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
