package network

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Protocol is a transport protocol by its name: "tcp", "udp" or "sctp".
type Protocol string

// The protocols whose ports can be published.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	SCTP Protocol = "sctp"
)

// number is the protocol's IPPROTO_*, 0 for an unknown one.
func (p Protocol) number() uint8 {
	return map[Protocol]uint8{TCP: unix.IPPROTO_TCP, UDP: unix.IPPROTO_UDP, SCTP: unix.IPPROTO_SCTP}[p]
}

// ParsePort reads the value of docker's -p flag: [[ip:][hostPort]:]containerPort[/protocol],
// where a port may be a range. Without a host port, Connect picks a free one;
// a range of host ports for one container port lets it pick from that.
//
// A range becomes one PortMapping for each port.
func ParsePort(spec string) ([]PortMapping, error) {
	rest, protocol := spec, TCP
	if at := strings.LastIndexByte(spec, '/'); at >= 0 {
		rest, protocol = spec[:at], Protocol(strings.ToLower(spec[at+1:]))
	}
	if protocol.number() == 0 {
		return nil, fmt.Errorf("invalid proto: %q in %q (tcp, udp or sctp)", string(protocol), spec)
	}
	ip, host, container := splitPort(rest)
	hostIP, err := parseHostIP(ip)
	if err != nil {
		return nil, err
	}
	if container == "" {
		return nil, fmt.Errorf("no port specified: %q", spec)
	}
	first, last, err := parseRange(container, 1)
	if err != nil {
		return nil, fmt.Errorf("invalid containerPort: %q: %w", container, err)
	}
	var hostFirst, hostLast uint16
	if host != "" {
		if hostFirst, hostLast, err = parseRange(host, 0); err != nil {
			return nil, fmt.Errorf("invalid hostPort: %q: %w", host, err)
		}
		if hostLast-hostFirst != last-first && last != first {
			return nil, fmt.Errorf("invalid ranges specified for container and host Ports: %q and %q", container, host)
		}
	}
	m := PortMapping{HostIP: hostIP, HostPort: hostFirst, Protocol: protocol, ContainerPort: first}
	if last == first && hostLast != hostFirst {
		m.HostPortEnd = hostLast
	}
	return m.expand(int(last-first) + 1), nil
}

// expand is count mappings of consecutive ports, beginning with m.
func (m PortMapping) expand(count int) []PortMapping {
	all := make([]PortMapping, count)
	for i := range all {
		all[i] = m
		all[i].ContainerPort += uint16(i)
		if m.HostPort != 0 {
			all[i].HostPort += uint16(i)
		}
	}
	return all
}

// splitPort cuts at the last two colons: an IPv6 address has colons of its own.
func splitPort(s string) (ip, host, container string) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 {
		return "", "", s
	}
	host, container = s[:at], s[at+1:]
	if at = strings.LastIndexByte(host, ':'); at >= 0 {
		ip, host = host[:at], host[at+1:]
	}
	return ip, host, container
}

func parseHostIP(s string) (netip.Addr, error) {
	if s == "" {
		return netip.IPv4Unspecified(), nil
	}
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	switch {
	case err != nil:
		return netip.Addr{}, fmt.Errorf("invalid IP address: %q", s)
	case !ip.Unmap().Is4():
		return netip.Addr{}, fmt.Errorf("cannot publish on the IPv6 address %s: minictr's bridge network is IPv4 only", ip)
	}
	return ip.Unmap(), nil
}

// parseRange reads "80" or "80-90". Ports below least are refused.
func parseRange(s string, least uint16) (first, last uint16, err error) {
	a, b, isRange := strings.Cut(s, "-")
	if first, err = parsePortNumber(a, least); err != nil || !isRange {
		return first, first, err
	}
	if last, err = parsePortNumber(b, least); err != nil {
		return 0, 0, err
	}
	if last < first || first == 0 {
		return 0, 0, fmt.Errorf("invalid range specified for port: %s", s)
	}
	return first, last, nil
}

func parsePortNumber(s string, least uint16) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || uint16(n) < least {
		return 0, fmt.Errorf("%q is no port number (%d to 65535)", s, least)
	}
	return uint16(n), nil
}
