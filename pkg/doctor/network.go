package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/network"
	"minictr/pkg/network/nft"
	"minictr/pkg/step"
)

// linkKinds are the kinds of links that networks are made of. Macvlan and
// ipvlan sit on another link, each on one of its own: the two ends of the veth
// pair that is made first.
//
// No dummy: its module makes a dummy0 on the host when the kernel loads it.
var linkKinds = []struct {
	kind        string
	level       Level
	consequence string
	link        func(name string, ends [2]int) netlink.Link
}{
	{"veth", Missing, "containers cannot be connected: run them with --network none or host", func(name string, _ [2]int) netlink.Link {
		return &netlink.Veth{LinkAttrs: attrs(name, 0), PeerName: name + "p"}
	}},
	{"bridge", Missing, "containers cannot be connected: run them with --network none or host", func(name string, _ [2]int) netlink.Link {
		return &netlink.Bridge{LinkAttrs: attrs(name, 0)}
	}},
	{"macvlan", Warn, "no networks of the macvlan driver", func(name string, ends [2]int) netlink.Link {
		return &netlink.Macvlan{LinkAttrs: attrs(name, ends[0]), Mode: netlink.MACVLAN_MODE_BRIDGE}
	}},
	{"ipvlan", Warn, "no networks of the ipvlan driver", func(name string, ends [2]int) netlink.Link {
		return &netlink.IPVlan{LinkAttrs: attrs(name, ends[1]), Mode: netlink.IPVLAN_MODE_L2}
	}},
	{"vxlan", Warn, "no overlay networks between hosts", func(name string, _ [2]int) netlink.Link {
		return &netlink.Vxlan{LinkAttrs: attrs(name, 0), VxlanId: 1, Port: 4789}
	}},
}

func attrs(name string, parent int) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name, a.ParentIndex = name, parent
	return a
}

// links makes one link of each kind, in a network namespace that is gone with
// the socket it was done through.
func links(x *examination) {
	if !x.mayTry(sysAdmin, "links") || !x.mayTry(netAdmin, "links") {
		return
	}
	var h *netlink.Handle
	err := inNewNetns(func() (err error) {
		h, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		x.add(Missing, "links", err.Error(), "containers cannot be connected", "a kernel with CONFIG_NET_NS")
		return
	}
	defer h.Close()
	var ends [2]int
	var have []string
	for i, k := range linkKinds {
		name := fmt.Sprintf("doctor%d", i)
		err := h.LinkAdd(k.link(name, ends))
		switch {
		case err == nil:
			have = append(have, k.kind)
			if k.kind == "veth" {
				ends = [2]int{index(h, name), index(h, name+"p")}
			}
		default:
			x.add(k.level, k.kind, err.Error(), k.consequence, "a kernel with CONFIG_"+strings.ToUpper(k.kind)+", or modprobe "+k.kind)
		}
	}
	x.add(OK, "links", strings.Join(have, " "), "", "")
}

// index is a link's number, 0 if there is none.
func index(h *netlink.Handle, name string) int {
	l, err := h.LinkByName(name)
	if err != nil {
		return 0
	}
	return l.Attrs().Index
}

// firewall makes the rules of a network, in a network namespace of their own.
func firewall(x *examination) {
	if !x.mayTry(sysAdmin, "nftables") || !x.mayTry(netAdmin, "nftables") {
		return
	}
	ep := &network.Endpoint{Network: network.Network{
		Name: "doctor", Bridge: "doctor", Table: "minictr_doctor", MTU: 1500,
		Subnet: netip.MustParsePrefix("192.0.2.0/24"), Gateway: netip.MustParseAddr("192.0.2.1"),
	}, IPForward: true}
	err := inNewNetns(func() error { return do(network.NAT(ep)) })
	x.tried(err, Missing, "nftables", "rules, maps, NAT and masquerading",
		"containers reach nobody, and no port can be published: run them with --network none or host",
		"a kernel with CONFIG_NF_TABLES, CONFIG_NFT_NAT, CONFIG_NFT_MASQ and CONFIG_NFT_FIB_IPV4")
}

// do makes a step's calls here, and closes what it opened if it fails.
func do(s step.Step) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	h := kernel.NewHost()
	for _, c := range s.Calls {
		if _, err := h.Do(c); err != nil {
			for _, fd := range h.Slots {
				_ = unix.Close(int(fd))
			}
			return err
		}
	}
	return nil
}

// forwarding: whether the host passes packets on, and who else decides.
func forwarding(x *examination) {
	switch readWord("/proc/sys/net/ipv4/ip_forward") {
	case "1":
		x.add(OK, "forwarding", "is on", "", "")
	case "0":
		x.add(Info, "forwarding", "is off; minictr turns it on with the first container that has a network", "", "")
	default:
		x.add(Missing, "forwarding", "no /proc/sys/net/ipv4/ip_forward", "containers reach nobody", "mount /proc; a kernel with CONFIG_INET")
	}
	if names := readWord("/proc/net/ip_tables_names"); strings.Contains(names, "filter") {
		x.add(Warn, "iptables-legacy", "its filter table is in use", "minictr does not see what it drops, such as forwarded packets",
			"iptables-legacy -P FORWARD ACCEPT, or move to iptables-nft")
	}
	if !x.mayTry(netAdmin, "other firewalls") {
		return
	}
	chains, err := nft.Chains()
	if err != nil {
		x.add(Warn, "other firewalls", answer(err), "what drops packets is not known", "")
		return
	}
	var drops []string
	for _, c := range chains {
		if c.Base && c.Drops && c.Hook == nft.Forward {
			drops = append(drops, fmt.Sprintf("%s %s", c.Table, c.Name))
		}
	}
	if len(drops) == 0 {
		x.add(OK, "other firewalls", "none drops forwarded packets by policy", "", "")
		return
	}
	x.add(Info, "other firewalls", "forwarded packets are dropped by policy ("+strings.Join(drops, ", ")+
		"); minictr lets those of its networks pass while containers run", "", "")
}

// bridgeFilter: with br_netfilter, packets between two containers on a bridge
// meet the host's IP rules too.
func bridgeFilter(x *examination) {
	if readWord("/proc/sys/net/bridge/bridge-nf-call-iptables") == "1" {
		x.add(Info, "br_netfilter", "on: packets between containers of one network pass the host's IP rules", "", "")
		return
	}
	x.add(OK, "br_netfilter", "off: bridges switch by themselves", "", "")
}

// private are the address blocks that networks of containers are taken from
// (RFC 1918).
var private = []netip.Prefix{
	netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("10.0.0.0/8"),
}

// addresses looks which private addresses the host already has a way to.
func addresses(x *examination) {
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		x.add(Warn, "addresses", answer(err), "networks may overlap with the host's", "")
		return
	}
	var used []string
	taken := make(map[netip.Prefix]bool)
	for _, r := range routes {
		p, ok := prefix(r.Dst)
		if !ok || p.Bits() <= 1 {
			continue
		}
		for _, block := range private {
			if p.Overlaps(block) {
				used = append(used, p.String())
				taken[block] = taken[block] || p.Bits() <= block.Bits()
			}
		}
	}
	switch {
	case len(taken) == len(private) && taken[private[0]] && taken[private[1]] && taken[private[2]]:
		x.add(Warn, "addresses", "the host has routes to all private addresses: "+strings.Join(used, ", "),
			"no network for containers is free", "leave a block out of the VPN's routes")
	case len(used) > 0:
		x.add(OK, "addresses", "in use and avoided: "+strings.Join(used, ", "), "", "")
	default:
		x.add(OK, "addresses", "all private blocks are free", "", "")
	}
}

func prefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	ip, ok := netip.AddrFromSlice(n.IP.To4())
	bits, _ := n.Mask.Size()
	return netip.PrefixFrom(ip, bits), ok
}
