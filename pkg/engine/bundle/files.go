package bundle

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Hosts is the text of /etc/hosts: the loopback names, the container's own
// name for its address, and what the user adds (name:address).
func Hosts(address, hostname, domainname string, extra []string) []byte {
	var b bytes.Buffer
	b.WriteString("127.0.0.1\tlocalhost\n" +
		"::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::\tip6-localnet\n" +
		"ff00::\tip6-mcastprefix\n" +
		"ff02::1\tip6-allnodes\n" +
		"ff02::2\tip6-allrouters\n")
	b.Write(HostLines(extra))
	if address != "" {
		names := hostname
		if domainname != "" {
			names = hostname + "." + domainname + " " + hostname
		}
		fmt.Fprintf(&b, "%s\t%s\n", address, names)
	}
	return b.Bytes()
}

// HostLines are lines of /etc/hosts for name:address pairs.
func HostLines(extra []string) []byte {
	var b bytes.Buffer
	for _, e := range extra {
		name, addr, _ := strings.Cut(e, ":")
		fmt.Fprintf(&b, "%s\t%s\n", addr, name)
	}
	return b.Bytes()
}

// Resolver is what a container's /etc/resolv.conf says.
type Resolver struct {
	Servers []string // addresses
	Search  []string
	Options []string
}

// publicServers are asked where the host names no server that a container
// could reach.
var publicServers = []string{"8.8.8.8", "8.8.4.4"}

// ParseResolver reads a resolv.conf(5).
func ParseResolver(text []byte) Resolver {
	var r Resolver
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			r.Servers = append(r.Servers, fields[1])
		case "search", "domain":
			r.Search = fields[1:]
		case "options":
			r.Options = append(r.Options, fields[1:]...)
		}
	}
	return r
}

// Local tells whether every server is on the host's loopback, which is another
// one in a container.
func (r Resolver) Local() bool {
	return !slices.ContainsFunc(r.Servers, func(s string) bool { return !isLoopback(s) })
}

func isLoopback(server string) bool {
	addr, err := netip.ParseAddr(server)
	return err == nil && addr.IsLoopback()
}

// Reachable leaves out servers on the loopback; where none is left, public
// ones stand in.
func (r Resolver) Reachable() Resolver {
	r.Servers = slices.DeleteFunc(slices.Clone(r.Servers), isLoopback)
	if len(r.Servers) == 0 {
		r.Servers = publicServers
	}
	return r
}

// With lays the user's wishes over the host's settings. A search of "." means
// none.
func (r Resolver) With(servers, search, options []string) Resolver {
	if len(servers) > 0 {
		r.Servers = servers
	}
	if len(search) > 0 {
		r.Search = slices.DeleteFunc(slices.Clone(search), func(s string) bool { return s == "." })
	}
	if len(options) > 0 {
		r.Options = options
	}
	return r
}

// Text is the file.
func (r Resolver) Text() []byte {
	var b bytes.Buffer
	for _, s := range r.Servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(r.Search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(r.Search, " "))
	}
	if len(r.Options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(r.Options, " "))
	}
	return b.Bytes()
}
