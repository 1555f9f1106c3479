package network

import (
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/network/nft"
	"minictr/pkg/step"
)

const (
	familyIPv4                = unix.NFPROTO_IPV4
	filterSocket  kernel.Slot = "nftables" // socket of NETLINK_NETFILTER
	natThere      kernel.Slot = "nat-there"
	publishAny                = "publish"    // map of ports on all of the host's addresses
	publishByAddr             = "publish_at" // map of ports on one address
)

// NAT makes our own table of rules, if it is not there: containers go out
// under the host's address, and published ports lead in.
//
// The rules name the network, not a container: they are the same for all, and
// what differs, the published ports, are elements of two maps. So the whole
// table is one transaction that comes into force at once, and can be repeated
// by any number of processes: objects that are there are left alone, and our
// chains are emptied before they are filled. A chain that is there is proof
// that all is there, and spares the transaction.
//
// A later layout of the table must give the probed chain another name.
func NAT(ep *Endpoint) step.Step {
	s := kernel.FD(filterSocket)
	calls := []kernel.Call{kernel.NetlinkSocket(kernel.NetlinkNetfilter).Into(filterSocket)}
	calls = append(calls, nft.Probe(s, ep.chains().postrouting, natThere)...)
	for _, c := range ep.rules().Calls(s) {
		calls = append(calls, c.IfFailed(natThere))
	}
	calls = append(calls, kernel.Close(s))
	return step.Step{
		Name:  "network.nat",
		Topic: book.Networking,
		Why:   "The world does not know the way to a container's address: what leaves the host is given the host's own, and the answers are given back.",
		Side:  step.Host,
		Calls: calls,
		Rule:  "the table is shared: the undo of network.bridge removes it with the last container",
	}
}

// chains are the base chains of our table, in the order a packet meets them.
type chains struct{ raw, prerouting, output, forward, postrouting nft.Chain }

func (n *Network) chains() chains {
	base := func(name, typ string, hook nft.Hook, priority int32) nft.Chain {
		return nft.Chain{Table: n.table(), Name: name, Type: typ, Hook: hook, Priority: priority}
	}
	return chains{
		raw:         base("raw", "filter", nft.Prerouting, nft.PriorityRaw),
		prerouting:  base("prerouting", "nat", nft.Prerouting, nft.PriorityDstNAT),
		output:      base("output", "nat", nft.Output, nft.PriorityDstNAT),
		forward:     base("forward", "filter", nft.Forward, nft.PriorityFilter),
		postrouting: base("postrouting", "nat", nft.Postrouting, nft.PrioritySrcNAT),
	}
}

func (n *Network) maps() (anywhere, byAddr nft.PortMap) {
	return nft.PortMap{Table: n.table(), Name: publishAny}, nft.PortMap{Table: n.table(), Name: publishByAddr, ByAddr: true}
}

// rules is the whole table.
func (n *Network) rules() *nft.Batch {
	b, c, br := new(nft.Batch), n.chains(), n.Bridge
	anywhere, byAddr := n.maps()
	b.AddTable(n.table())
	b.AddMap(anywhere)
	b.AddMap(byAddr)
	for _, chain := range []nft.Chain{c.raw, c.prerouting, c.output, c.forward, c.postrouting} {
		b.AddChain(chain)
		b.FlushChain(chain)
	}

	// The bridge may carry packets of the loopback network (see Publish), but
	// no container may send one: it would reach what the host keeps to itself.
	b.AddRule(c.raw, nft.IifName(br), nft.DaddrLoopback(), nft.Drop())

	// Published ports. Nobody outside has business with 127.0.0.1; a packet for
	// it from the wire is forged and must not be forwarded before the routing
	// code can throw it away.
	b.AddRule(c.prerouting, nft.DaddrLoopback(), nft.Return())
	for _, chain := range []nft.Chain{c.prerouting, c.output} {
		b.AddRule(chain, nft.DNATByAddrPort(publishByAddr))
		b.AddRule(chain, nft.DaddrLocal(), nft.DNATByPort(publishAny))
	}

	// Containers may talk to each other and to anybody; others may answer, and
	// may come in by a published port.
	b.AddRule(c.forward, nft.IifName(br), nft.Accept())
	b.AddRule(c.forward, nft.OifName(br), nft.CtEstablished(), nft.Accept())
	b.AddRule(c.forward, nft.OifName(br), nft.CtDNAT(), nft.Accept())
	b.AddRule(c.forward, nft.OifName(br), nft.Drop())

	// Out under the host's address. Two cases stay on the bridge: a container
	// that uses a published port of a neighbour, or its own, must get its answer
	// through us; and 127.0.0.1 cannot be answered at all. (A bridge that calls
	// the IP firewall, bridge-nf-call-iptables, shows no iifname here.)
	b.AddRule(c.postrouting, nft.Saddr(n.Subnet), nft.NotOifName(br), nft.Masquerade())
	b.AddRule(c.postrouting, nft.Saddr(n.Subnet), nft.OifName(br), nft.CtDNAT(), nft.Masquerade())
	b.AddRule(c.postrouting, nft.SaddrLoopback(), nft.OifName(br), nft.Masquerade())
	return b
}
