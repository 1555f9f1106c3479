package network

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/network/nft"
	"minictr/pkg/step"
)

// Reserve takes the published ports away from the host's other programs, as
// docker does: for each a socket is bound and kept as long as its process (the
// shim) lives. No packet arrives there; the rules of Publish send them to the
// container before the host looks for a listener.
//
// Who starts the same container again in the same process closes the sockets
// first: see CloseReserved.
func Reserve(ep *Endpoint) step.Step {
	var calls []kernel.Call
	for i, p := range ep.Ports {
		calls = append(calls, reservePort(reservedSlot(i), p)...)
	}
	return step.Step{
		Name:  "network.reserve",
		Topic: book.PortMapping,
		Why:   "A published port must not be taken by a program of the host as well: a socket bound to it tells everybody that it is in use.",
		Side:  step.Host,
		Calls: calls,
		Rule:  "sockets close with the process that holds them",
	}
}

func reservedSlot(i int) kernel.Slot { return kernel.Slot(fmt.Sprintf("port-%d", i)) }

// reservePort binds as a server would: TCP also listens, since only then does
// the kernel refuse the port to others who say SO_REUSEADDR, as we must to not
// trip over connections of an earlier owner.
func reservePort(slot kernel.Slot, p PortMapping) []kernel.Call {
	fd := kernel.FD(slot)
	bind := kernel.Bind(fd, p.HostIP, p.HostPort)
	switch p.Protocol {
	case TCP:
		return []kernel.Call{
			kernel.Socket(kernel.AfInet, kernel.SockStream, kernel.IPProtoTCP).Into(slot),
			kernel.SetReuseAddr(fd), bind, kernel.Listen(fd, 1),
		}
	case UDP:
		return []kernel.Call{kernel.Socket(kernel.AfInet, kernel.SockDgram, kernel.IPProtoUDP).Into(slot), bind}
	}
	// The host may lack SCTP; then no program of its can have the port either.
	return []kernel.Call{
		kernel.Socket(kernel.AfInet, kernel.SockStream, kernel.IPProtoSCTP).Into(slot).Allowing(unix.EPROTONOSUPPORT, unix.ESOCKTNOSUPPORT),
		bind.IfOK(slot),
	}
}

// CloseReserved closes the sockets of Reserve, given the results of the plan's
// host calls. It goes before giving the ports back with Disconnect.
func CloseReserved(slots map[kernel.Slot]uintptr) {
	for slot, fd := range slots {
		if strings.HasPrefix(string(slot), "port-") {
			_ = unix.Close(int(fd))
			delete(slots, slot)
		}
	}
}

// Publish leads the ports of the host to the container: elements of the maps
// that the rules of NAT look into. With ports on 127.0.0.1 the bridge has to
// accept packets of the loopback network, which else never leave the host.
func Publish(ep *Endpoint) step.Step {
	var calls []kernel.Call
	if ep.onLoopback() {
		calls = append(calls, kernel.WriteFile("/proc/sys/net/ipv4/conf/"+ep.Bridge+"/route_localnet", "1")...)
	}
	calls = append(calls, kernel.NetlinkSocket(kernel.NetlinkNetfilter).Into(filterSocket))
	calls = append(calls, ep.publish().Calls(kernel.FD(filterSocket))...)
	calls = append(calls, forgetFlows(ep, kernel.FD(filterSocket))...)
	calls = append(calls, kernel.Close(kernel.FD(filterSocket)))
	return step.Step{
		Name:  "network.publish",
		Topic: book.PortMapping,
		Why:   "A published port is an entry in a dictionary of the firewall: packets for this port of the host get the container's address before they are routed.",
		Side:  step.Host,
		Calls: calls,
		Undo:  func(do step.Do) error { return unpublish(ep, do) },
	}
}

// onLoopback reports whether a port is published on 127.0.0.1.
func (ep *Endpoint) onLoopback() bool {
	for _, p := range ep.Ports {
		if p.HostIP.IsUnspecified() || p.HostIP.IsLoopback() {
			return true
		}
	}
	return false
}

// elements sorts the ports by the map they belong to.
func (ep *Endpoint) elements() (anywhere, byAddr []nft.PortMapping) {
	for _, p := range ep.Ports {
		e := nft.PortMapping{
			HostIP: p.HostIP, Protocol: p.Protocol.number(), HostPort: p.HostPort,
			IP: ep.IP, ContainerPort: p.ContainerPort,
		}
		if p.HostIP.IsUnspecified() {
			anywhere = append(anywhere, e)
		} else {
			byAddr = append(byAddr, e)
		}
	}
	return anywhere, byAddr
}

func (ep *Endpoint) publish() *nft.Batch {
	b := new(nft.Batch)
	any4, one := ep.maps()
	anywhere, byAddr := ep.elements()
	b.AddElements(any4, anywhere)
	b.AddElements(one, byAddr)
	return b
}

// unpublish takes the elements out. It is safe to run twice: the transaction
// puts them in first, so that deleting finds them in any case. EBUSY says that
// a port leads to another container by now, ENOENT that the table is gone.
func unpublish(ep *Endpoint, do step.Do) error {
	b := ep.publish()
	any4, one := ep.maps()
	anywhere, byAddr := ep.elements()
	b.DeleteElements(any4, anywhere)
	b.DeleteElements(one, byAddr)
	calls := b.Calls(kernel.FD(filterSocket))
	calls[1] = calls[1].Allowing(unix.ENOENT, unix.EBUSY)
	return doOn(do, kernel.NetlinkNetfilter, filterSocket, append(calls, forgetFlows(ep, kernel.FD(filterSocket))...))
}
