package network

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// The kernel rewrites addresses by what it decided for a connection's first
// packet. UDP has no connections; a client that goes on sending from the same
// port keeps the old decision alive: to a container that is gone, or to none.
// So entries for a UDP port are forgotten when what it leads to changes. TCP
// clients connect anew by themselves.

// forgetFlows forgets every flow to the published UDP ports. Kernels before 6.8
// know no filter here and answer EINVAL; there old flows end by their timeout.
func forgetFlows(ep *Endpoint, socket kernel.Arg) []kernel.Call {
	var calls []kernel.Call
	for _, p := range ep.Ports {
		if p.Protocol != UDP {
			continue
		}
		r := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|ctDelete, unix.NLM_F_ACK)
		r.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_INET, Version: unix.NFNETLINK_V0})
		for _, a := range flowsTo(p) {
			r.AddData(a)
		}
		m := &kernel.Message{
			Bytes: r.Serialize(),
			Show:  fmt.Sprintf("IPCTNL_MSG_CT_DELETE CTA_PROTO_NUM=IPPROTO_UDP, CTA_PROTO_DST_PORT=%d", p.HostPort),
		}
		request := kernel.NetlinkRequest(socket, m, fmt.Sprintf("conntrack -D -p udp --orig-port-dst %d", p.HostPort))
		request[1] = request[1].Allowing(unix.ENOENT, unix.EINVAL, unix.EOPNOTSUPP)
		calls = append(calls, request...)
	}
	return calls
}

// Numbers of linux/netfilter/nfnetlink_conntrack.h.
const (
	ctDelete = 2 // IPCTNL_MSG_CT_DELETE

	ctaTupleOrig       = 1
	ctaFilter          = 25
	ctaTupleIP         = 1
	ctaTupleProto      = 2
	ctaIPv4Dst         = 2
	ctaProtoNum        = 1
	ctaProtoDstPort    = 3
	ctaFilterOrigFlags = 1

	// Which fields of the tuple count, one bit each.
	filterIPDst        = 1 << 1
	filterProtoNum     = 1 << 3
	filterProtoDstPort = 1 << 5
)

// flowsTo describes the flows whose first packet went to the host's port.
func flowsTo(p PortMapping) []*nl.RtAttr {
	fields := uint32(filterProtoNum | filterProtoDstPort)
	tuple := nl.NewRtAttr(ctaTupleOrig|unix.NLA_F_NESTED, nil)
	if !p.HostIP.IsUnspecified() {
		fields |= filterIPDst
		tuple.AddRtAttr(ctaTupleIP|unix.NLA_F_NESTED, nil).AddRtAttr(ctaIPv4Dst, p.HostIP.AsSlice())
	}
	proto := tuple.AddRtAttr(ctaTupleProto|unix.NLA_F_NESTED, nil)
	proto.AddRtAttr(ctaProtoNum, []byte{unix.IPPROTO_UDP})
	proto.AddRtAttr(ctaProtoDstPort, binary.BigEndian.AppendUint16(nil, p.HostPort))
	filter := nl.NewRtAttr(ctaFilter|unix.NLA_F_NESTED, nil)
	filter.AddRtAttr(ctaFilterOrigFlags, nl.Uint32Attr(fields))
	return []*nl.RtAttr{tuple, filter}
}
