package leak

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// errNoRuleset: nf_tables is not there, or not for us to see.
var errNoRuleset = errors.New("no nftables ruleset to see")

// dumpRuleset asks the kernel for all tables, chains, rules, sets and set elements, one line each. The nft program is
// not needed. Packet counters and the like are left out: they change by themselves.
//
// The wire format: netlink messages, each with a four-byte nfgenmsg and then attributes; see linux/netfilter/nf_tables.h.
func dumpRuleset() ([]string, error) {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, errNoRuleset
	}
	if err != nil {
		return nil, fmt.Errorf("open a netfilter socket: %w", err)
	}
	defer unix.Close(socket)
	var all []string
	var sets []nftObject
	for _, dump := range []struct {
		request uint16
		render  func(nftObject) string
	}{
		{unix.NFT_MSG_GETTABLE, renderTable},
		{unix.NFT_MSG_GETCHAIN, renderChain},
		{unix.NFT_MSG_GETRULE, renderRule},
		{unix.NFT_MSG_GETSET, renderSet},
	} {
		objects, err := request(socket, dump.request, unix.NFPROTO_UNSPEC, nil)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			all = append(all, dump.render(object))
		}
		if dump.request == unix.NFT_MSG_GETSET {
			sets = objects
		}
	}
	for _, set := range sets {
		elements, err := dumpElements(socket, set)
		if err != nil {
			return nil, err
		}
		all = append(all, elements...)
	}
	return all, nil
}

// nftObject is one answer: its address family and attributes.
type nftObject struct {
	family uint8
	attrs  map[uint16][]byte
}

func (o nftObject) text(attr uint16) string {
	return strings.TrimRight(string(o.attrs[attr]), "\x00")
}

// in names the family and table that the object is in.
func (o nftObject) in(table uint16) string {
	families := map[uint8]string{
		unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6",
		unix.NFPROTO_ARP: "arp", unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev",
	}
	return families[o.family] + " " + o.text(table)
}

func renderTable(o nftObject) string {
	return "table " + o.in(unix.NFTA_TABLE_NAME)
}

func renderChain(o nftObject) string {
	return "chain " + o.in(unix.NFTA_CHAIN_TABLE) + " " + o.text(unix.NFTA_CHAIN_NAME)
}

// renderRule names a rule by its handle, which is never used twice in a table, and by its expressions, for people.
func renderRule(o nftObject) string {
	var names []string
	for _, element := range list(o.attrs[unix.NFTA_RULE_EXPRESSIONS]) {
		names = append(names, strings.TrimRight(string(attributes(element)[unix.NFTA_EXPR_NAME]), "\x00"))
	}
	return fmt.Sprintf("rule %s %s handle %d: %s", o.in(unix.NFTA_RULE_TABLE), o.text(unix.NFTA_RULE_CHAIN),
		number(o.attrs[unix.NFTA_RULE_HANDLE]), strings.Join(names, " "))
}

func renderSet(o nftObject) string {
	return "set " + o.in(unix.NFTA_SET_TABLE) + " " + o.text(unix.NFTA_SET_NAME)
}

// dumpElements lists one set's or map's elements by the bytes of their keys.
func dumpElements(socket int, set nftObject) ([]string, error) {
	filter := attribute(nil, unix.NFTA_SET_ELEM_LIST_TABLE, set.attrs[unix.NFTA_SET_TABLE])
	filter = attribute(filter, unix.NFTA_SET_ELEM_LIST_SET, set.attrs[unix.NFTA_SET_NAME])
	answers, err := request(socket, unix.NFT_MSG_GETSETELEM, set.family, filter)
	if errors.Is(err, unix.ENOENT) { // the set went away meanwhile
		return nil, nil
	}
	var found []string
	for _, answer := range answers {
		for _, element := range list(answer.attrs[unix.NFTA_SET_ELEM_LIST_ELEMENTS]) {
			key := attributes(attributes(element)[unix.NFTA_SET_ELEM_KEY])[unix.NFTA_DATA_VALUE]
			found = append(found, fmt.Sprintf("element %s %s %x", set.in(unix.NFTA_SET_TABLE), set.text(unix.NFTA_SET_NAME), key))
		}
	}
	return found, err
}

// request sends one dump request and collects the answers up to the message that says DONE.
func request(socket int, kind uint16, family uint8, filter []byte) ([]nftObject, error) {
	length := unix.SizeofNlMsghdr + 4 + len(filter)
	message := binary.NativeEndian.AppendUint32(nil, uint32(length))
	message = binary.NativeEndian.AppendUint16(message, unix.NFNL_SUBSYS_NFTABLES<<8|kind)
	message = binary.NativeEndian.AppendUint16(message, unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	message = append(message, make([]byte, 8)...) // sequence number and port: the kernel's answers need no telling apart
	message = append(message, family, unix.NFNETLINK_V0, 0, 0)
	message = append(message, filter...)
	if err := unix.Sendto(socket, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("ask for the ruleset: %w", err)
	}
	var objects []nftObject
	buffer := make([]byte, 1<<18)
	for {
		n, _, err := unix.Recvfrom(socket, buffer, 0)
		if err != nil {
			return nil, fmt.Errorf("receive the ruleset: %w", err)
		}
		found, done, err := parseMessages(buffer[:n])
		objects = append(objects, found...)
		if done || err != nil {
			return objects, err
		}
	}
}

// parseMessages takes a datagram of netlink messages apart.
func parseMessages(data []byte) (objects []nftObject, done bool, err error) {
	for len(data) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(data))
		kind := binary.NativeEndian.Uint16(data[4:])
		if length < unix.SizeofNlMsghdr || length > len(data) {
			return nil, false, errors.New("a netlink message is cut off")
		}
		body := data[unix.SizeofNlMsghdr:length]
		data = data[min(align(length), len(data)):]
		switch {
		case kind == unix.NLMSG_DONE:
			return objects, true, nil
		case kind == unix.NLMSG_ERROR:
			return nil, false, answerError(body)
		case len(body) >= 4:
			// The attributes point into the receive buffer, which the next datagram overwrites.
			objects = append(objects, nftObject{body[0], attributes(append([]byte(nil), body[4:]...))})
		}
	}
	return objects, false, nil
}

// answerError is the kernel's no. Without CAP_NET_ADMIN there is nothing to see; without nf_tables (EINVAL: nobody
// listens to this subsystem) there is nothing at all.
func answerError(body []byte) error {
	if len(body) < 4 {
		return errors.New("a netlink error is cut off")
	}
	errno := unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
	if errno == unix.EPERM || errno == unix.EINVAL || errno == unix.EOPNOTSUPP {
		return errNoRuleset
	}
	return fmt.Errorf("dump the ruleset: %w", errno)
}

// attributes splits a run of attributes (length, type, value, padding to four bytes) by type.
func attributes(data []byte) map[uint16][]byte {
	found := map[uint16][]byte{}
	each(data, func(kind uint16, value []byte) { found[kind] = value })
	return found
}

// list returns the values of a run of attributes that all have the same type.
func list(data []byte) (values [][]byte) {
	each(data, func(_ uint16, value []byte) { values = append(values, value) })
	return values
}

func each(data []byte, visit func(kind uint16, value []byte)) {
	for len(data) >= unix.SizeofNlAttr {
		length := int(binary.NativeEndian.Uint16(data))
		kind := binary.NativeEndian.Uint16(data[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
		if length < unix.SizeofNlAttr || length > len(data) {
			return
		}
		visit(kind, data[unix.SizeofNlAttr:length])
		data = data[min(align(length), len(data)):]
	}
}

func attribute(to []byte, kind uint16, value []byte) []byte {
	length := unix.SizeofNlAttr + len(value)
	to = binary.NativeEndian.AppendUint16(to, uint16(length))
	to = binary.NativeEndian.AppendUint16(to, kind)
	return append(append(to, value...), make([]byte, align(length)-length)...)
}

// number reads an integer attribute of nf_tables: big-endian, of any size.
func number(value []byte) (n uint64) {
	for _, b := range value {
		n = n<<8 | uint64(b)
	}
	return n
}

func align(n int) int { return (n + 3) &^ 3 }
