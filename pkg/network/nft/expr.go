package nft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Expr is a piece of a rule as a user of nft(8) would write it. Each becomes a
// few instructions for the kernel's virtual machine, which loads parts of the
// packet into registers and compares, looks up or acts on them.
type Expr struct {
	text  string
	parts []*nl.RtAttr
}

// The registers that the instructions of this package use: the same 16 bytes
// that nft calls register 1, four bytes at a time.
const (
	verdictReg = unix.NFT_REG_VERDICT
	reg0       = unix.NFT_REG32_00
	reg1       = unix.NFT_REG32_01
	reg2       = unix.NFT_REG32_02
)

func instruction(name string, attrs ...*nl.RtAttr) *nl.RtAttr {
	return nested(unix.NFTA_LIST_ELEM, str(unix.NFTA_EXPR_NAME, name), nested(unix.NFTA_EXPR_DATA, attrs...))
}

// IifName matches packets that came in through the interface, OifName those
// that go out through it, and NotOifName those that leave elsewhere.
func IifName(name string) Expr {
	return ifName("iifname", unix.NFT_META_IIFNAME, unix.NFT_CMP_EQ, name)
}

// OifName matches packets that go out through the interface.
func OifName(name string) Expr {
	return ifName("oifname", unix.NFT_META_OIFNAME, unix.NFT_CMP_EQ, name)
}

// NotOifName matches packets that do not go out through the interface.
func NotOifName(name string) Expr {
	return ifName("oifname !=", unix.NFT_META_OIFNAME, unix.NFT_CMP_NEQ, name)
}

func ifName(word string, key, op uint32, name string) Expr {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return Expr{fmt.Sprintf("%s %q", word, name), []*nl.RtAttr{
		instruction("meta", u32(unix.NFTA_META_KEY, key), u32(unix.NFTA_META_DREG, reg0)),
		compare(op, padded),
	}}
}

func compare(op uint32, value []byte) *nl.RtAttr {
	return instruction("cmp", u32(unix.NFTA_CMP_SREG, reg0), u32(unix.NFTA_CMP_OP, op), data(unix.NFTA_CMP_DATA, value))
}

// CtEstablished matches packets of connections that were let through before.
func CtEstablished() Expr {
	const established, related = 2, 4 // NF_CT_STATE_BIT
	return ct("ct state established,related", unix.NFT_CT_STATE, established|related)
}

// CtDNAT matches packets whose destination was rewritten.
func CtDNAT() Expr {
	const dstNAT = 1 << 5 // IPS_DST_NAT
	return ct("ct status dnat", unix.NFT_CT_STATUS, dstNAT)
}

// ct matches if any of the bits is set. They are in the machine's own order.
func ct(text string, key, bits uint32) Expr {
	mask := binary.NativeEndian.AppendUint32(nil, bits)
	return Expr{text, []*nl.RtAttr{
		instruction("ct", u32(unix.NFTA_CT_KEY, key), u32(unix.NFTA_CT_DREG, reg0)),
		bitwise(mask), compare(unix.NFT_CMP_NEQ, make([]byte, len(mask))),
	}}
}

// Offsets in the IPv4 header, and of both ports behind it.
const (
	ipProtocol, ipSaddr, ipDaddr = 9, 12, 16
	dport                        = 2
)

// SaddrLoopback matches packets from 127.0.0.0/8, DaddrLoopback those to it.
func SaddrLoopback() Expr { return loopback("saddr", ipSaddr) }

// DaddrLoopback matches packets to 127.0.0.0/8.
func DaddrLoopback() Expr { return loopback("daddr", ipDaddr) }

func loopback(word string, offset uint32) Expr {
	return Expr{"ip " + word + " 127.0.0.0/8", []*nl.RtAttr{
		payload(unix.NFT_PAYLOAD_NETWORK_HEADER, offset, 1, reg0), compare(unix.NFT_CMP_EQ, []byte{127}),
	}}
}

// Saddr matches packets from a network.
func Saddr(p netip.Prefix) Expr {
	mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-p.Bits()))
	return Expr{"ip saddr " + p.String(), []*nl.RtAttr{
		payload(unix.NFT_PAYLOAD_NETWORK_HEADER, ipSaddr, 4, reg0), bitwise(mask), compare(unix.NFT_CMP_EQ, p.Masked().Addr().AsSlice()),
	}}
}

// bitwise keeps the bits of mask.
func bitwise(mask []byte) *nl.RtAttr {
	return instruction("bitwise", u32(unix.NFTA_BITWISE_SREG, reg0), u32(unix.NFTA_BITWISE_DREG, reg0),
		u32(unix.NFTA_BITWISE_LEN, uint32(len(mask))), data(unix.NFTA_BITWISE_MASK, mask), data(unix.NFTA_BITWISE_XOR, make([]byte, len(mask))))
}

func payload(base, offset, length, reg uint32) *nl.RtAttr {
	return instruction("payload", u32(unix.NFTA_PAYLOAD_DREG, reg), u32(unix.NFTA_PAYLOAD_BASE, base),
		u32(unix.NFTA_PAYLOAD_OFFSET, offset), u32(unix.NFTA_PAYLOAD_LEN, length))
}

// DaddrLocal matches packets to any of this machine's own addresses.
func DaddrLocal() Expr {
	local := binary.NativeEndian.AppendUint32(nil, unix.RTN_LOCAL)
	return Expr{"fib daddr type local", []*nl.RtAttr{
		instruction("fib", u32(unix.NFTA_FIB_DREG, reg0), u32(unix.NFTA_FIB_RESULT, unix.NFT_FIB_RESULT_ADDRTYPE),
			u32(unix.NFTA_FIB_FLAGS, unix.NFTA_FIB_F_DADDR)),
		compare(unix.NFT_CMP_EQ, local),
	}}
}

// DNATByPort sends the packet where map m says for its protocol and port. A
// packet that the map does not know goes on to the next rule.
func DNATByPort(m string) Expr {
	return Expr{"dnat ip to ip protocol . th dport map @" + m, dnat(m,
		payload(unix.NFT_PAYLOAD_NETWORK_HEADER, ipProtocol, 1, reg0),
		payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, dport, 2, reg1))}
}

// DNATByAddrPort is DNATByPort for a map that knows the address as well.
func DNATByAddrPort(m string) Expr {
	return Expr{"dnat ip to ip daddr . ip protocol . th dport map @" + m, dnat(m,
		payload(unix.NFT_PAYLOAD_NETWORK_HEADER, ipDaddr, 4, reg0),
		payload(unix.NFT_PAYLOAD_NETWORK_HEADER, ipProtocol, 1, reg1),
		payload(unix.NFT_PAYLOAD_TRANSPORT_HEADER, dport, 2, reg2))}
}

func dnat(m string, key ...*nl.RtAttr) []*nl.RtAttr {
	return append(key,
		instruction("lookup", str(unix.NFTA_LOOKUP_SET, m), u32(unix.NFTA_LOOKUP_SREG, reg0), u32(unix.NFTA_LOOKUP_DREG, reg0)),
		instruction("nat", u32(unix.NFTA_NAT_TYPE, unix.NFT_NAT_DNAT), u32(unix.NFTA_NAT_FAMILY, unix.NFPROTO_IPV4),
			u32(unix.NFTA_NAT_REG_ADDR_MIN, reg0), u32(unix.NFTA_NAT_REG_PROTO_MIN, reg1)))
}

// Masquerade gives the packet the address of the interface it leaves by.
func Masquerade() Expr { return Expr{"masquerade", []*nl.RtAttr{instruction("masq")}} }

// Counter counts packets and bytes. iptables' own rules carry one each.
func Counter() Expr { return Expr{"counter", []*nl.RtAttr{instruction("counter")}} }

// Accept ends this base chain with yes: chains of other tables still judge.
func Accept() Expr { return verdict("accept", nfAccept) }

// Drop throws the packet away for good.
func Drop() Expr { return verdict("drop", nfDrop) }

// Return ends this chain without a verdict.
func Return() Expr { return verdict("return", unix.NFT_RETURN) }

// Verdicts as the kernel counts them.
const nfDrop, nfAccept = 0, 1

func verdict(text string, code int32) Expr {
	v := nested(unix.NFTA_DATA_VERDICT, u32(unix.NFTA_VERDICT_CODE, uint32(code)))
	return Expr{text, []*nl.RtAttr{
		instruction("immediate", u32(unix.NFTA_IMMEDIATE_DREG, verdictReg), nested(unix.NFTA_IMMEDIATE_DATA, v)),
	}}
}

// The attributes that everything above is made of. Numbers are big-endian.

func u32(typ int, v uint32) *nl.RtAttr {
	return nl.NewRtAttr(typ, binary.BigEndian.AppendUint32(nil, v))
}

func str(typ int, s string) *nl.RtAttr { return nl.NewRtAttr(typ, append([]byte(s), 0)) }

func nested(typ int, children ...*nl.RtAttr) *nl.RtAttr {
	a := nl.NewRtAttr(typ|unix.NLA_F_NESTED, nil)
	for _, c := range children {
		a.AddChild(c)
	}
	return a
}

func data(typ int, value []byte) *nl.RtAttr {
	return nested(typ, nl.NewRtAttr(unix.NFTA_DATA_VALUE, bytes.Clone(value)))
}
