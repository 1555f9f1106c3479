package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"minictr/pkg/network/netlinkdump"
)

// claimSubnet chooses the network's subnet and remembers it. The caller holds
// the lock.
func (n *Network) claimSubnet() error {
	isNew, err := n.chooseSubnet()
	if err != nil || !isNew {
		return err
	}
	if err := writeLine(n.subnetPath(), n.Subnet.String(), unix.O_TRUNC); err != nil {
		return fmt.Errorf("note the network's subnet: %w", err)
	}
	return nil
}

func (n *Network) subnetPath() string { return filepath.Join(n.State, "subnet") }

// chooseSubnet decides which addresses the network has: those it had before, or
// the first of the candidates that the host has no other route to. The choice
// stands as long as there are leases, or the bridge.
func (n *Network) chooseSubnet() (isNew bool, err error) {
	b, err := readLine(n.subnetPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read the network's subnet: %w", err)
	}
	before, _ := netip.ParsePrefix(strings.TrimSpace(string(b)))
	if before.IsValid() {
		if n.setSubnet(before); n.index() != 0 {
			return false, nil
		}
		if owners, err := n.leases(); err != nil || len(owners) > 0 {
			return false, err
		}
	}
	taken, err := routes(n.index())
	if err != nil {
		return false, err
	}
	for _, p := range append([]netip.Prefix{before}, n.candidates()...) {
		if p.IsValid() && !overlaps(p, taken) {
			n.setSubnet(p)
			return p != before, nil
		}
	}
	return false, fmt.Errorf("no free subnet for the network %s: the host has routes to all private ones", n.Name)
}

func (n *Network) setSubnet(p netip.Prefix) {
	n.Subnet, n.Gateway = p, p.Addr().Next()
}

// index is the bridge's number, 0 if there is none.
func (n *Network) index() uint32 {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(n.Bridge)
	if err != nil || unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, req) != nil {
		return 0
	}
	return req.Uint32()
}

// candidates are private subnets in the order of preference: beside docker's,
// then its smaller ones, then a few of the largest block. An instance with a
// state directory of its own begins somewhere in that block, so that two of
// them that start at the same moment do not choose the same.
func (n *Network) candidates() []netip.Prefix {
	var all []netip.Prefix
	if n.State != bridgeNetwork(DefaultRunDir).State {
		h := fnv.New32a()
		h.Write([]byte(n.State))
		for i := range uint32(16) {
			all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(h.Sum32() + i), 0, 0}), 16))
		}
	}
	for _, second := range []byte{29, 30, 31, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16} {
		all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{172, second, 0, 0}), 16))
	}
	for third := 240; third >= 0; third -= 16 {
		all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 168, byte(third), 0}), 20))
	}
	for second := 200; second >= 0; second -= 20 {
		all = append(all, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(second), 0, 0}), 16))
	}
	return all
}

func overlaps(p netip.Prefix, others []netip.Prefix) bool {
	for _, o := range others {
		if p.Overlaps(o) {
			return true
		}
	}
	return false
}

// routes lists where the host's IPv4 routes lead, addresses of its own
// included, except those by the interface of number own.
func routes(own uint32) ([]netip.Prefix, error) {
	r := nl.NewNetlinkRequest(unix.RTM_GETROUTE, unix.NLM_F_DUMP)
	r.AddData(&nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET}})
	messages, err := netlinkdump.List(unix.NETLINK_ROUTE, r, unix.RTM_NEWROUTE)
	if err != nil && !errors.Is(err, netlinkdump.ErrInterrupted) {
		return nil, fmt.Errorf("list the host's routes: %w", err)
	}
	var found []netip.Prefix
	for _, m := range messages {
		if p, link := parseRoute(m); p.IsValid() && (link != own || own == 0) {
			found = append(found, p)
		}
	}
	return found, nil
}

// parseRoute reads an answer to RTM_GETROUTE (rtnetlink(7)). Routes to a half
// of the internet or more are how a VPN writes "the default route"; they tell
// nothing about who is where and are left out, like those to groups.
func parseRoute(m []byte) (dst netip.Prefix, link uint32) {
	if len(m) < unix.SizeofRtMsg {
		return netip.Prefix{}, 0
	}
	bits, typ := int(m[1]), m[7] // rtm_dst_len, rtm_type
	attrs, err := nl.ParseRouteAttr(m[unix.SizeofRtMsg:])
	if err != nil || bits <= 1 || typ == unix.RTN_MULTICAST {
		return netip.Prefix{}, 0
	}
	for _, a := range attrs {
		switch a.Attr.Type {
		case unix.RTA_DST:
			if ip, ok := netip.AddrFromSlice(a.Value); ok {
				dst = netip.PrefixFrom(ip, bits)
			}
		case unix.RTA_OIF:
			if len(a.Value) == 4 {
				link = binary.NativeEndian.Uint32(a.Value)
			}
		}
	}
	return dst, link
}
