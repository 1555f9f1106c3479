// Package network gives a container its place in a network, in the words of
// the Container Network Model.
//
// # The problem
//
// A process in a network namespace of its own sees one interface, loopback, and
// that is down. It cannot reach anybody, and nobody it. It needs an interface
// that leads somewhere, an address nobody else has, a way out, and now and then
// a door through which others come in.
//
// # The model
//
// Docker's Container Network Model has three parts. A Sandbox is an isolated
// network stack: here the network namespace that clone3 makes. A Network is a
// group of endpoints that reach each other directly: a bridge, see [Network]. An
// [Endpoint] joins a sandbox to a network: a veth pair.
//
// # What the kernel offers
//
// A bridge is a switch in software; a veth pair is a cable with an interface at
// either end, each of which can be in another namespace. Both are made with
// messages to a netlink socket, the language of ip(8). Packets that the host
// passes on go through nftables' hooks, where rules rewrite addresses: the
// source of what leaves (masquerade), the destination of what comes to a
// published port.
//
// # What we do
//
// [Connect] claims an address and ports: files in a directory, made with
// O_EXCL under a lock, so any number of processes may do it at once, and `ls`
// shows who has what. It changes nothing else on the host. The steps do:
//
//	Bridge     the switch, the host's address on it, ip_forward
//	NAT        one table of nftables for all containers
//	Forward    two rules in other firewalls' chains that would drop our packets
//	Reserve    sockets that keep the host's programs off published ports
//	Plug       the veth pair, with one end in the new process's namespace
//	Publish    elements in two maps of the table, one for each published port
//	Configure  in the container: loopback, address, default route
//
// [Prepare] and [Attach] say which of them an endpoint needs. What is shared is
// made by whoever comes first and removed by whoever goes last; every step can
// be repeated, and two containers may start at the same moment.
//
// Instances with different state directories share nothing: the default one has
// minictr0 and the table minictr, others have names with a tag.
//
// # What we leave out
//
// IPv6; networks made by users; a name server for them. ip_forward stays on when the last container has
// gone, as docker leaves it, for by then others may count on it. On kernels
// before 6.8 the first packet of a container can be lost to a race in the
// kernel when the machine is busy (see [Plug]).
//
// Chapter: Docker Networking. Man pages: veth(4), ip-link(8), netlink(7),
// rtnetlink(7), netdevice(7), nft(8), network_namespaces(7).
package network
