package nft

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// PortMap is a map from published ports to a container's address and port: the
// dictionary that DNATByPort and DNATByAddrPort look into. One rule serves any
// number of ports that way, and publishing is adding an element.
type PortMap struct {
	Table  Table
	Name   string
	ByAddr bool // the key begins with the address that the packet was sent to
}

// PortMapping is one element of a PortMap.
type PortMapping struct {
	HostIP        netip.Addr // of the key, for maps ByAddr
	Protocol      uint8      // IPPROTO_*
	HostPort      uint16
	IP            netip.Addr
	ContainerPort uint16
}

// The numbers nft(8) has for the types of keys and values. They mean nothing to
// the kernel, which keeps them for nft to print; a concatenation is written
// with six bits for each.
const (
	typeIPv4Addr    = 7
	typeInetProto   = 12
	typeInetService = 13
)

// AddMap makes m if it is not there.
func (b *Batch) AddMap(m PortMap) {
	keyType, keyLen, key := uint32(typeInetProto<<6|typeInetService), uint32(8), "inet_proto . inet_service"
	if m.ByAddr {
		keyType, keyLen, key = typeIPv4Addr<<12|keyType, 12, "ipv4_addr . "+key
	}
	const dataType = typeIPv4Addr<<6 | typeInetService
	text := fmt.Sprintf("add map %s %s { type %s : ipv4_addr . inet_service; }", m.Table, m.Name, key)
	b.add(unix.NFT_MSG_NEWSET, unix.NLM_F_CREATE, m.Table.Family, text,
		str(unix.NFTA_SET_TABLE, m.Table.Name), str(unix.NFTA_SET_NAME, m.Name),
		u32(unix.NFTA_SET_FLAGS, unix.NFT_SET_MAP), u32(unix.NFTA_SET_KEY_TYPE, keyType), u32(unix.NFTA_SET_KEY_LEN, keyLen),
		u32(unix.NFTA_SET_DATA_TYPE, dataType), u32(unix.NFTA_SET_DATA_LEN, 8), u32(unix.NFTA_SET_ID, uint32(len(b.requests)+1)))
}

// AddElements puts mappings into m. One that is there already does no harm; one
// that maps the same port to something else fails with EBUSY.
func (b *Batch) AddElements(m PortMap, mappings []PortMapping) {
	b.elements("add", unix.NFT_MSG_NEWSETELEM, unix.NLM_F_CREATE, m, mappings)
}

// DeleteElements takes mappings out of m; ENOENT if one is not there.
func (b *Batch) DeleteElements(m PortMap, mappings []PortMapping) {
	b.elements("delete", unix.NFT_MSG_DELSETELEM, 0, m, mappings)
}

func (b *Batch) elements(verb string, msg, flags int, m PortMap, mappings []PortMapping) {
	if len(mappings) == 0 {
		return
	}
	list := nested(unix.NFTA_SET_ELEM_LIST_ELEMENTS)
	text := ""
	for i, p := range mappings {
		list.AddChild(nested(unix.NFTA_LIST_ELEM,
			data(unix.NFTA_SET_ELEM_KEY, p.key(m.ByAddr)), data(unix.NFTA_SET_ELEM_DATA, p.value())))
		if i > 0 {
			text += ", "
		}
		text += p.text(m.ByAddr)
	}
	b.add(msg, flags, m.Table.Family, fmt.Sprintf("%s element %s %s { %s }", verb, m.Table, m.Name, text),
		str(unix.NFTA_SET_ELEM_LIST_TABLE, m.Table.Name), str(unix.NFTA_SET_ELEM_LIST_SET, m.Name), list)
}

// key and value lay their parts out as registers: four bytes each.
func (p PortMapping) key(byAddr bool) []byte {
	var k []byte
	if byAddr {
		k = append(k, p.HostIP.AsSlice()...)
	}
	k = append(k, p.Protocol, 0, 0, 0)
	return append(binary.BigEndian.AppendUint16(k, p.HostPort), 0, 0)
}

func (p PortMapping) value() []byte {
	return append(binary.BigEndian.AppendUint16(p.IP.AsSlice(), p.ContainerPort), 0, 0)
}

func (p PortMapping) text(byAddr bool) string {
	s := ""
	if byAddr {
		s = p.HostIP.String() + " . "
	}
	return s + fmt.Sprintf("%s . %d : %s . %d", protocolName(p.Protocol), p.HostPort, p.IP, p.ContainerPort)
}

func protocolName(p uint8) string {
	switch p {
	case unix.IPPROTO_TCP:
		return "tcp"
	case unix.IPPROTO_UDP:
		return "udp"
	case unix.IPPROTO_SCTP:
		return "sctp"
	}
	return fmt.Sprint(p)
}
