package nft

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// Batch is one transaction: all of its changes happen at once, or none. Its
// zero value is empty.
type Batch struct {
	requests []*nl.NetlinkRequest
	texts    []string
}

// Table is a table of one family, such as {unix.NFPROTO_IPV4, "minictr"}.
type Table struct {
	Family uint8
	Name   string
}

func (t Table) String() string { return familyName(t.Family) + " " + t.Name }

func familyName(family uint8) string {
	switch family {
	case unix.NFPROTO_IPV4:
		return "ip"
	case unix.NFPROTO_INET:
		return "inet"
	case unix.NFPROTO_IPV6:
		return "ip6"
	}
	return fmt.Sprint("family", family)
}

// Chain is a chain of a table. With a Type it is a base chain: the hook calls
// it, in the order of the priorities.
type Chain struct {
	Table    Table
	Name     string
	Type     string // "filter", "nat", or "" for a chain that only rules jump to
	Hook     Hook
	Priority int32
}

// Hook is a place in a packet's way through the kernel.
type Hook uint32

// The hooks, with NF_INET_* numbers.
const (
	Prerouting Hook = iota
	Input
	Forward
	Output
	Postrouting
)

func (h Hook) String() string {
	return [...]string{"prerouting", "input", "forward", "output", "postrouting"}[h]
}

// The usual priorities of base chains.
const (
	PriorityRaw     = -300 // before connection tracking
	PriorityDstNAT  = -100
	PriorityFilter  = 0
	PrioritySrcNAT  = 100
	userdataComment = 0 // NFTNL_UDATA_RULE_COMMENT
)

func (b *Batch) add(msg int, flags int, family uint8, text string, attrs ...nl.NetlinkRequestData) {
	b.requests = append(b.requests, request(msg, flags, family, attrs...))
	b.texts = append(b.texts, text)
}

func request(msg, flags int, family uint8, attrs ...nl.NetlinkRequestData) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|msg, flags)
	r.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: unix.NFNETLINK_V0})
	for _, a := range attrs {
		r.AddData(a)
	}
	return r
}

// AddTable makes t if it is not there.
func (b *Batch) AddTable(t Table) {
	b.add(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, t.Family, "add table "+t.String(), str(unix.NFTA_TABLE_NAME, t.Name))
}

// DeleteTable removes t with all that is in it; ENOENT if it is not there.
func (b *Batch) DeleteTable(t Table) {
	b.add(unix.NFT_MSG_DELTABLE, 0, t.Family, "delete table "+t.String(), str(unix.NFTA_TABLE_NAME, t.Name))
}

// AddChain makes c if it is not there.
func (b *Batch) AddChain(c Chain) {
	attrs := []nl.NetlinkRequestData{str(unix.NFTA_CHAIN_TABLE, c.Table.Name), str(unix.NFTA_CHAIN_NAME, c.Name)}
	text := fmt.Sprintf("add chain %s %s", c.Table, c.Name)
	if c.Type != "" {
		attrs = append(attrs,
			nested(unix.NFTA_CHAIN_HOOK, u32(unix.NFTA_HOOK_HOOKNUM, uint32(c.Hook)), u32(unix.NFTA_HOOK_PRIORITY, uint32(c.Priority))),
			str(unix.NFTA_CHAIN_TYPE, c.Type))
		text += fmt.Sprintf(" { type %s hook %s priority %d; }", c.Type, c.Hook, c.Priority)
	}
	b.add(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, c.Table.Family, text, attrs...)
}

// FlushChain removes all rules of c.
func (b *Batch) FlushChain(c Chain) {
	b.add(unix.NFT_MSG_DELRULE, 0, c.Table.Family, fmt.Sprintf("flush chain %s %s", c.Table, c.Name),
		str(unix.NFTA_RULE_TABLE, c.Table.Name), str(unix.NFTA_RULE_CHAIN, c.Name))
}

// AddRule appends a rule to c.
func (b *Batch) AddRule(c Chain, exprs ...Expr) { b.rule("add", unix.NLM_F_APPEND, c, "", exprs) }

// InsertRule puts a rule in front of all others of c. The comment marks whose
// it is.
func (b *Batch) InsertRule(c Chain, comment string, exprs ...Expr) {
	b.rule("insert", 0, c, comment, exprs)
}

func (b *Batch) rule(verb string, flags int, c Chain, comment string, exprs []Expr) {
	list := nested(unix.NFTA_RULE_EXPRESSIONS)
	text := fmt.Sprintf("%s rule %s %s", verb, c.Table, c.Name)
	for _, e := range exprs {
		for _, part := range e.parts {
			list.AddChild(part)
		}
		text += " " + e.text
	}
	attrs := []nl.NetlinkRequestData{str(unix.NFTA_RULE_TABLE, c.Table.Name), str(unix.NFTA_RULE_CHAIN, c.Name), list}
	if comment != "" {
		data := append([]byte{userdataComment, byte(len(comment) + 1)}, comment...)
		attrs = append(attrs, nl.NewRtAttr(unix.NFTA_RULE_USERDATA, append(data, 0)))
		text += fmt.Sprintf(" comment %q", comment)
	}
	b.add(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|flags, c.Table.Family, text, attrs...)
}

// DeleteRule removes the rule that has this handle.
func (b *Batch) DeleteRule(c Chain, handle uint64) {
	b.add(unix.NFT_MSG_DELRULE, 0, c.Table.Family, fmt.Sprintf("delete rule %s %s handle %d", c.Table, c.Name, handle),
		str(unix.NFTA_RULE_TABLE, c.Table.Name), str(unix.NFTA_RULE_CHAIN, c.Name),
		nl.NewRtAttr(unix.NFTA_RULE_HANDLE, binary.BigEndian.AppendUint64(nil, handle)))
}

// Empty reports whether the batch changes nothing.
func (b *Batch) Empty() bool { return len(b.requests) == 0 }

// Calls sends the transaction: two calls on a socket of NETLINK_NETFILTER.
func (b *Batch) Calls(socket kernel.Arg) []kernel.Call {
	return kernel.NetlinkRequest(socket, b.message(), "nft '"+b.String()+"'")
}

// String is the transaction as a script of nft(8).
func (b *Batch) String() string { return strings.Join(b.texts, "; ") }

// message puts the requests between the two marks of a transaction. Only the
// last request asks for an acknowledgement: it comes when all went well, and
// otherwise the first error comes instead.
func (b *Batch) message() *kernel.Message {
	bytes := mark(unix.NFNL_MSG_BATCH_BEGIN)
	for i, r := range b.requests {
		if i == len(b.requests)-1 {
			r.Flags |= unix.NLM_F_ACK
		}
		r.Flags |= unix.NLM_F_REQUEST
		r.Seq = uint32(i + 1)
		bytes = append(bytes, r.Serialize()...)
	}
	return &kernel.Message{Bytes: append(bytes, mark(unix.NFNL_MSG_BATCH_END)...), Show: "nftables: " + b.String()}
}

func mark(msg int) []byte {
	r := nl.NewNetlinkRequest(msg, unix.NLM_F_REQUEST)
	r.Seq = 0
	r.AddData(&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC, Version: unix.NFNETLINK_V0, ResId: nl.Swap16(unix.NFNL_SUBSYS_NFTABLES)})
	return r.Serialize()
}

// Probe asks whether c exists: three calls, the last of which saves slot if it
// does.
//
// The kernel answers with the chain and an acknowledgement if there is one,
// and with an error alone if there is none; so what tells them apart is
// whether a second message is waiting.
func Probe(socket kernel.Arg, c Chain, slot kernel.Slot) []kernel.Call {
	r := request(unix.NFT_MSG_GETCHAIN, unix.NLM_F_REQUEST|unix.NLM_F_ACK, c.Table.Family,
		str(unix.NFTA_CHAIN_TABLE, c.Table.Name), str(unix.NFTA_CHAIN_NAME, c.Name))
	r.Seq = 0
	text := fmt.Sprintf("list chain %s %s", c.Table, c.Name)
	calls := kernel.NetlinkRequest(socket, &kernel.Message{Bytes: r.Serialize(), Show: "nftables: " + text}, "nft "+text)
	return []kernel.Call{calls[0], kernel.NetlinkReply(socket), kernel.NetlinkPeek(socket).Into(slot).Allowing(unix.EAGAIN)}
}
