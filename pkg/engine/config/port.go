package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Port publishes one port of the container on the host.
type Port struct {
	HostIP    string `json:"hostIP,omitempty"`   // empty: all of the host's addresses
	Host      uint16 `json:"host,omitempty"`     // 0: one that is free
	HostEnd   uint16 `json:"hostEnd,omitempty"`  // of the range to choose from, if one was given
	Container uint16 `json:"container"`          //
	Protocol  string `json:"protocol,omitempty"` // tcp, udp or sctp
}

// String is what -p would take.
func (p Port) String() string {
	var s strings.Builder
	if p.HostIP != "" {
		if strings.Contains(p.HostIP, ":") {
			s.WriteString("[" + p.HostIP + "]:")
		} else {
			s.WriteString(p.HostIP + ":")
		}
	}
	if p.Host != 0 {
		fmt.Fprintf(&s, "%d:", p.Host)
	}
	fmt.Fprintf(&s, "%d/%s", p.Container, p.Protocol)
	return s.String()
}

// ParsePorts reads a -p value, [[IP:][HOST]:]CONTAINER[/PROTOCOL], where HOST
// and CONTAINER may be ranges of the same length; a HOST range alone is a
// choice for one CONTAINER port.
func ParsePorts(s string) ([]Port, error) {
	bad := func(why string) ([]Port, error) { return nil, fmt.Errorf("invalid port %q: %s", s, why) }
	rest, protocol, err := cutProtocol(s)
	if err != nil {
		return bad(err.Error())
	}
	ip, host, container, err := cutPort(rest)
	if err != nil {
		return bad(err.Error())
	}
	c1, c2, err := parseRange(container)
	if err != nil {
		return bad(err.Error())
	}
	var h1, h2 uint16
	if host != "" && host != "0" {
		if h1, h2, err = parseRange(host); err != nil {
			return bad(err.Error())
		}
	}
	if h1 != 0 && c1 == c2 && h1 != h2 {
		return []Port{{ip, h1, h2, c1, protocol}}, nil
	}
	if h1 != 0 && h2-h1 != c2-c1 {
		return bad("the two ranges differ in length")
	}
	var ports []Port
	for i := 0; i <= int(c2-c1); i++ {
		p := Port{HostIP: ip, Container: c1 + uint16(i), Protocol: protocol}
		if h1 != 0 {
			p.Host = h1 + uint16(i)
		}
		ports = append(ports, p)
	}
	return ports, nil
}

func cutProtocol(s string) (rest, protocol string, err error) {
	rest, protocol, ok := strings.Cut(s, "/")
	if !ok {
		return rest, "tcp", nil
	}
	switch protocol = strings.ToLower(protocol); protocol {
	case "tcp", "udp", "sctp":
		return rest, protocol, nil
	}
	return "", "", fmt.Errorf("%q is none of tcp, udp, sctp", protocol)
}

// cutPort takes [[IP:][HOST]:]CONTAINER apart; IPv6 addresses stand in
// brackets.
func cutPort(s string) (ip, host, container string, err error) {
	before, container := "", s
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		before, container = s[:i], s[i+1:]
		host = before
		if i := strings.LastIndexByte(before, ':'); i >= 0 {
			ip, host = before[:i], before[i+1:]
		}
	}
	if ip == "" {
		return "", host, container, nil
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(ip, "["), "]"))
	if err != nil {
		return "", "", "", fmt.Errorf("%q is no IP address", ip)
	}
	if addr.IsUnspecified() && addr.Is4() {
		return "", host, container, nil
	}
	return addr.String(), host, container, nil
}

func parseRange(s string) (first, last uint16, err error) {
	a, b, two := strings.Cut(s, "-")
	if first, err = parsePort(a); err != nil || !two {
		return first, first, err
	}
	if last, err = parsePort(b); err == nil && last < first {
		err = fmt.Errorf("the range %s ends before it begins", s)
	}
	return first, last, err
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no port number (1 to 65535)", s)
	}
	return uint16(n), nil
}

// ParseExpose reads an --expose value or a key of the image's ExposedPorts:
// PORT[-PORT][/PROTOCOL].
func ParseExpose(s string) ([]Port, error) {
	rest, protocol, err := cutProtocol(s)
	if err != nil {
		return nil, fmt.Errorf("invalid exposed port %q: %w", s, err)
	}
	first, last, err := parseRange(rest)
	if err != nil {
		return nil, fmt.Errorf("invalid exposed port %q: %w", s, err)
	}
	var ports []Port
	for p := int(first); p <= int(last); p++ {
		ports = append(ports, Port{Container: uint16(p), Protocol: protocol})
	}
	return ports, nil
}
