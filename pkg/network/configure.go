package network

import (
	"fmt"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

const inetSocket kernel.Slot = "inet"

// Configure waits until the parent has plugged the container in, and then sets
// up its network from inside: the loopback interface, eth0's address, and the
// default route. eth0 is up already.
//
// It uses the old ioctls of netdevice(7) and not netlink, since they take the
// interface's name: its number is not known when this list is made, and differs
// where the kernel puts tunnel interfaces into every new namespace.
func Configure(ep *Endpoint) step.Step {
	s := kernel.FD(inetSocket)
	prefix := ep.Prefix()
	calls := []kernel.Call{
		kernel.Await(),
		kernel.InetSocket().Into(inetSocket),
		loopbackUp(s),
		kernel.LinkState(s, ContainerLink).As("ethtool " + ContainerLink), // see Plug
		kernel.SetInterfaceAddr(s, ContainerLink, ep.IP).As(fmt.Sprintf("ip addr add %s dev %s", prefix, ContainerLink)),
		kernel.SetInterfaceNetmask(s, ContainerLink, prefix.Bits()),
		kernel.AddDefaultRoute(s, ep.Gateway).As(fmt.Sprintf("ip route add default via %s", ep.Gateway)),
		kernel.Close(s),
	}
	return step.Step{
		Name:  "network.configure",
		Topic: book.Networking,
		Why:   "An interface without an address and a route is a dead cable: the container gets an address of the bridge's network, and the host as its gateway.",
		Side:  step.Inside,
		Calls: calls,
		Rule:  "addresses and routes die with the network namespace, which ends with its last process",
	}
}

// Loopback is all the network of a container that is to have none: 127.0.0.1.
func Loopback() step.Step {
	s := kernel.FD(inetSocket)
	return step.Step{
		Name:  "network.loopback",
		Topic: book.Networking,
		Why:   "A new network namespace has a loopback interface and nothing else, and even that is down.",
		Side:  step.Inside,
		Calls: []kernel.Call{kernel.InetSocket().Into(inetSocket), loopbackUp(s), kernel.Close(s)},
		Rule:  "the interface dies with the network namespace",
	}
}

func loopbackUp(socket kernel.Arg) kernel.Call {
	return kernel.SetInterfaceFlags(socket, "lo", unix.IFF_UP, "IFF_UP").As("ip link set lo up")
}
