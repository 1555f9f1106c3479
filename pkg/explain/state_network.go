package explain

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Network is what a network namespace holds.
type Network struct {
	Shared    bool     `json:"shared,omitempty"` // it is the observer's own; not listed
	Links     []Fact   `json:"links,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Routes    []string `json:"routes,omitempty"`
	Error     string   `json:"error,omitempty"`
}

// network asks the namespace's rtnetlink. The library opens its socket on a
// thread that visits the namespace; the socket then stays there.
func network(pid int, own bool) Network {
	if !own {
		return Network{Shared: true}
	}
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return Network{Error: err.Error()}
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return Network{Error: err.Error()}
	}
	defer h.Close()
	n, err := listNetwork(h)
	if err != nil {
		n.Error = err.Error()
	}
	return n
}

func listNetwork(h *netlink.Handle) (n Network, err error) {
	links, err := h.LinkList()
	if err != nil {
		return n, err
	}
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
		n.Links = append(n.Links, linkFact(l))
	}
	addrs, err := h.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return n, err
	}
	for _, a := range addrs {
		n.Addresses = append(n.Addresses, fmt.Sprintf("%s on %s", a.IPNet, names[a.LinkIndex]))
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := h.RouteList(nil, family)
		if err != nil {
			return n, err
		}
		for _, r := range routes {
			n.Routes = append(n.Routes, routeText(r, names))
		}
	}
	slices.Sort(n.Routes)
	return n, nil
}

func linkFact(l netlink.Link) Fact {
	a := l.Attrs()
	state := "down"
	if a.Flags&net.FlagUp != 0 {
		state = "up"
	}
	v := fmt.Sprintf("%s, %s, mtu %d", l.Type(), state, a.MTU)
	if len(a.HardwareAddr) > 0 {
		v += ", " + a.HardwareAddr.String()
	}
	if a.ParentIndex != 0 && a.NetNsID >= 0 {
		v += fmt.Sprintf(", peer is link %d of another namespace", a.ParentIndex)
	}
	return Fact{a.Name, v}
}

func routeText(r netlink.Route, names map[int]string) string {
	to := "default"
	if r.Dst != nil && !(r.Dst.IP.IsUnspecified() && isZero(r.Dst.Mask)) {
		to = r.Dst.String()
	}
	parts := []string{to}
	if r.Gw != nil {
		parts = append(parts, "via "+r.Gw.String())
	}
	parts = append(parts, "on "+names[r.LinkIndex])
	if r.Src != nil {
		parts = append(parts, "from "+r.Src.String())
	}
	return strings.Join(parts, " ")
}

func isZero(m net.IPMask) bool {
	ones, _ := m.Size()
	return ones == 0
}
