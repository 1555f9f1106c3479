package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"minictr/pkg/network/netlinkdump"
)

// ChainInfo is a chain that is there.
type ChainInfo struct {
	Chain
	Base  bool // hangs on its Hook
	Drops bool // has policy drop
}

// RuleInfo is a rule that is there, as far as one must know it to find one's
// own and to see what a chain comes to.
type RuleInfo struct {
	Handle  uint64
	Comment string
	// Refuses says that the rule drops or rejects every packet.
	Refuses bool
}

// Chains lists the chains of all tables. It only reads.
func Chains() ([]ChainInfo, error) {
	messages, err := dump(unix.NFT_MSG_GETCHAIN, unix.NFT_MSG_NEWCHAIN, unix.NFPROTO_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("list the chains of nftables: %w", err)
	}
	chains := make([]ChainInfo, 0, len(messages))
	for _, m := range messages {
		if c, ok := parseChain(m); ok {
			chains = append(chains, c)
		}
	}
	return chains, nil
}

// Rules lists the rules of c, none if there is no such chain. It only reads.
func Rules(c Chain) ([]RuleInfo, error) {
	messages, err := dump(unix.NFT_MSG_GETRULE, unix.NFT_MSG_NEWRULE, c.Table.Family,
		str(unix.NFTA_RULE_TABLE, c.Table.Name), str(unix.NFTA_RULE_CHAIN, c.Name))
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("list the rules of chain %s %s: %w", c.Table, c.Name, err)
	}
	rules := make([]RuleInfo, 0, len(messages))
	for _, m := range messages {
		if r, ok := parseRule(m); ok {
			rules = append(rules, r)
		}
	}
	return rules, nil
}

// dump asks for a list. One that was changed meanwhile is asked for again; if
// the changes do not end, an incomplete one has to do.
func dump(get, answer int, family uint8, attrs ...nl.NetlinkRequestData) (messages [][]byte, err error) {
	for range 5 {
		r := request(get, unix.NLM_F_DUMP, family, attrs...)
		messages, err = netlinkdump.List(unix.NETLINK_NETFILTER, r, uint16(unix.NFNL_SUBSYS_NFTABLES<<8|answer))
		if !errors.Is(err, netlinkdump.ErrInterrupted) {
			return messages, err
		}
	}
	return messages, nil
}

const nfgenLen = 4 // struct nfgenmsg, whose first byte is the family

func parseChain(m []byte) (ChainInfo, bool) {
	attrs, ok := attributes(m, nfgenLen)
	if !ok {
		return ChainInfo{}, false
	}
	c := ChainInfo{Chain: Chain{Table: Table{Family: m[0]}}}
	for _, a := range attrs {
		switch a.Attr.Type &^ unix.NLA_F_NESTED {
		case unix.NFTA_CHAIN_TABLE:
			c.Table.Name = text(a.Value)
		case unix.NFTA_CHAIN_NAME:
			c.Name = text(a.Value)
		case unix.NFTA_CHAIN_TYPE:
			c.Type = text(a.Value)
		case unix.NFTA_CHAIN_POLICY:
			c.Drops = number(a.Value) == nfDrop
		case unix.NFTA_CHAIN_HOOK:
			c.Base = true
			hook, _ := attributes(a.Value, 0)
			for _, h := range hook {
				switch h.Attr.Type {
				case unix.NFTA_HOOK_HOOKNUM:
					c.Hook = Hook(number(h.Value))
				case unix.NFTA_HOOK_PRIORITY:
					c.Priority = int32(number(h.Value))
				}
			}
		}
	}
	return c, c.Name != ""
}

func parseRule(m []byte) (RuleInfo, bool) {
	attrs, ok := attributes(m, nfgenLen)
	if !ok {
		return RuleInfo{}, false
	}
	var r RuleInfo
	for _, a := range attrs {
		switch a.Attr.Type &^ unix.NLA_F_NESTED {
		case unix.NFTA_RULE_HANDLE:
			if len(a.Value) == 8 {
				r.Handle = binary.BigEndian.Uint64(a.Value)
			}
		case unix.NFTA_RULE_USERDATA:
			r.Comment = comment(a.Value)
		case unix.NFTA_RULE_EXPRESSIONS:
			r.Refuses = refuses(a.Value)
		}
	}
	return r, r.Handle != 0
}

// comment finds the comment among a rule's user data: type, length, value.
func comment(b []byte) string {
	for len(b) >= 2 && len(b) >= 2+int(b[1]) {
		if b[0] == userdataComment {
			return text(b[2 : 2+int(b[1])])
		}
		b = b[2+int(b[1]):]
	}
	return ""
}

// refuses reports whether a list of expressions drops or rejects without
// looking at the packet.
func refuses(list []byte) bool {
	exprs, _ := attributes(list, 0)
	for _, e := range exprs {
		parts, _ := attributes(e.Value, 0)
		name, body := "", []byte(nil)
		for _, p := range parts {
			switch p.Attr.Type &^ unix.NLA_F_NESTED {
			case unix.NFTA_EXPR_NAME:
				name = text(p.Value)
			case unix.NFTA_EXPR_DATA:
				body = p.Value
			}
		}
		switch name {
		case "counter", "log":
			continue
		case "reject":
			return true
		case "target": // iptables' own modules
			return targetName(body) == "REJECT"
		case "immediate":
			return verdictOf(body) == nfDrop
		}
		return false
	}
	return false
}

// verdictOf is the verdict of an immediate expression, -1 for another value.
func verdictOf(body []byte) int32 {
	for _, typ := range []uint16{unix.NFTA_IMMEDIATE_DATA, unix.NFTA_DATA_VERDICT, unix.NFTA_VERDICT_CODE} {
		if body = find(body, typ); body == nil {
			return -1
		}
	}
	return int32(number(body))
}

func targetName(body []byte) string {
	const nftaTargetName = 1
	return text(find(body, nftaTargetName))
}

func find(b []byte, typ uint16) []byte {
	attrs, _ := attributes(b, 0)
	for _, a := range attrs {
		if a.Attr.Type&^unix.NLA_F_NESTED == typ {
			return a.Value
		}
	}
	return nil
}

func attributes(b []byte, from int) ([]syscall.NetlinkRouteAttr, bool) {
	if len(b) < from {
		return nil, false
	}
	attrs, err := nl.ParseRouteAttr(b[from:])
	return attrs, err == nil
}

func number(b []byte) uint32 {
	if len(b) != 4 {
		return 1<<32 - 1
	}
	return binary.BigEndian.Uint32(b)
}

func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
