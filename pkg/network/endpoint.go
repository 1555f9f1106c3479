package network

import (
	"fmt"
	"hash/fnv"
	"net/netip"

	"minictr/pkg/network/nft"
)

// Network is a bridge on this host and the addresses behind it: what docker
// calls a network with the bridge driver.
type Network struct {
	Name    string       `json:"name"`    // "bridge"
	State   string       `json:"state"`   // directory of leases and claims
	Bridge  string       `json:"bridge"`  // interface on the host, "minictr0"
	Table   string       `json:"table"`   // of nftables, "minictr"
	Subnet  netip.Prefix `json:"subnet"`  // "172.29.0.0/16"
	Gateway netip.Addr   `json:"gateway"` // the bridge's own address
	MTU     int          `json:"mtu"`
}

// Endpoint is a container's plug into a network: a veth pair, an address, and
// the ports that lead to it. All steps of this package are built from it alone.
type Endpoint struct {
	Network
	ID       string        `json:"id"` // of the container
	IP       netip.Addr    `json:"ip"`
	MAC      MAC           `json:"mac"`
	HostLink string        `json:"hostLink"` // the pair's end on the host
	Ports    []PortMapping `json:"ports,omitempty"`

	// What Connect found on the host, for steps that can be spared.
	IPForward bool           `json:"ipForward"`          // forwarding is on already
	Blocking  []ForwardChain `json:"blocking,omitempty"` // foreign chains that would drop our packets
	Legacy    LegacyBlock    `json:"legacy,omitzero"`    // legacy iptables, if they would
}

// ContainerLink is the name of the veth pair's end in the container.
const ContainerLink = "eth0"

// Prefix is the endpoint's address with the length of its network's prefix.
func (ep *Endpoint) Prefix() netip.Prefix { return netip.PrefixFrom(ep.IP, ep.Subnet.Bits()) }

// PortMapping publishes one port of a container.
type PortMapping struct {
	HostIP        netip.Addr `json:"hostIP"`                // 0.0.0.0: all of the host's addresses
	HostPort      uint16     `json:"hostPort"`              // 0: Connect picks one
	HostPortEnd   uint16     `json:"hostPortEnd,omitempty"` // not 0: Connect picks one of HostPort…HostPortEnd
	ContainerPort uint16     `json:"containerPort"`
	Protocol      Protocol   `json:"protocol"`
}

// String is how docker prints a published port: "0.0.0.0:8080->80/tcp".
func (p PortMapping) String() string {
	return fmt.Sprintf("%s->%d/%s", netip.AddrPortFrom(p.HostIP, p.HostPort), p.ContainerPort, p.Protocol)
}

// MAC is an Ethernet address.
type MAC [6]byte

// macOf derives the address from the IP, as docker does: no two containers of
// a network can have the same one, and ARP caches stay right when an IP is used
// again. 02 marks it as locally administered.
func macOf(ip netip.Addr) MAC {
	a := ip.As4()
	return MAC{0x02, 0x42, a[0], a[1], a[2], a[3]}
}

func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// MarshalText makes it String in JSON.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (m *MAC) UnmarshalText(b []byte) error {
	if n, err := fmt.Sscanf(string(b), "%02x:%02x:%02x:%02x:%02x:%02x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5]); n != 6 {
		return fmt.Errorf("read the Ethernet address %q: %w", b, err)
	}
	return nil
}

// linkName names the pair's end on the host. It depends on the address too, so
// that a restarted container does not meet its own old interface, which the
// kernel takes its time to remove.
func linkName(id string, ip netip.Addr) string {
	h := fnv.New32a()
	h.Write([]byte(id))
	h.Write(ip.AsSlice())
	return fmt.Sprintf("veth%07x", h.Sum32()>>4)
}

func (n *Network) table() nft.Table { return nft.Table{Family: familyIPv4, Name: n.Table} }
