package network

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Device is a network device of the host that is to be the container's
// (linux.netDevices of the OCI configuration).
type Device struct {
	Name      string // on the host
	Inside    string // in the container
	addresses []address
}

// address is one that the device keeps: a message that would add it again.
type address struct {
	text    string
	message []byte
}

// Devices checks the names of the configuration's devices, host to container,
// and looks at the addresses that they have. One that is not there has none:
// the same plan is made again when the device has long been moved.
func Devices(names map[string]string) ([]Device, error) {
	var list []Device
	taken := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d := Device{Name: name, Inside: names[name]}
		if d.Inside == "" {
			d.Inside = name
		}
		for _, n := range []string{d.Name, d.Inside} {
			if n == "" || n == "." || n == ".." || len(n) >= unix.IFNAMSIZ || strings.ContainsAny(n, "/: \t\n") {
				return nil, fmt.Errorf("linux.netDevices: %q is no name of a network device", n)
			}
		}
		if other, ok := taken[d.Inside]; ok && !d.template() {
			return nil, fmt.Errorf("linux.netDevices: %s and %s are both to be %s", other, name, d.Inside)
		}
		taken[d.Inside] = name
		var err error
		if d.addresses, err = addressesOf(name); err != nil {
			return nil, err
		}
		if d.template() && len(d.addresses) > 0 {
			return nil, fmt.Errorf("linux.netDevices: %s has addresses, and the name %s leaves open which device gets them", name, d.Inside)
		}
		list = append(list, d)
	}
	return list, nil
}

// template: the kernel puts a number in the place of %d.
func (d Device) template() bool { return strings.Contains(d.Inside, "%d") }

// Move gives the device to a network namespace: that at path, or that of the
// new process if path is "". The kernel takes a device's addresses and sets it
// down when it moves; so it is set up and given them again, those that somebody
// has set for good and that are meant for others than this host.
func (d Device) Move(path string) step.Step {
	const ns kernel.Slot = "netns"
	s, dev := kernel.FD(routeSocket), kernel.NewInterface(d.Name)
	open := kernel.OpenPath(kernel.Path{"/proc/", step.PID, "/ns/net"}, unix.O_RDONLY|unix.O_CLOEXEC)
	if path != "" {
		open = kernel.Openat(kernel.AtFDCWD, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	calls := []kernel.Call{open.Into(ns), kernel.NetlinkSocket(kernel.NetlinkRoute).Into(routeSocket), dev.Index(s).For(d.Name)}
	calls = append(calls, kernel.NetlinkLinkRequest(s, d.moveMessage(dev, ns), fmt.Sprintf("ip link set %s netns $PID name %s up", d.Name, d.Inside))...)
	calls = append(calls, kernel.Close(s))
	if len(d.addresses) > 0 {
		calls = append(calls, d.addAddresses(ns)...)
	}
	return step.Step{
		Name: "network.device:" + d.Inside, Topic: book.Networking, Side: step.Host, Calls: append(calls, kernel.Close(kernel.FD(ns))),
		Why:  "a network device of the host becomes the container's: it is in one network namespace at a time, and keeps its settings",
		Rule: "the specification leaves the device to its namespace: with that a virtual one ends, and one of hardware returns to the host",
	}
}

// indexAt is where ifinfomsg and ifaddrmsg have the device's number, behind
// struct nlmsghdr (rtnetlink(7)).
const indexAt = unix.SizeofNlMsghdr + 4

func (d Device) moveMessage(dev *kernel.Interface, ns kernel.Slot) *kernel.LinkMessage {
	const nsMark = 0xd51c0e00
	r := linkRequest(0, unix.IFF_UP)
	r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(d.Inside)))
	r.AddData(nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(nsMark)))
	b := r.Serialize()
	return &kernel.LinkMessage{
		Message: kernel.Message{
			Bytes: b, Patches: []kernel.Patch{{Offset: find(b, nsMark), Slot: ns}},
			Show: fmt.Sprintf("RTM_NEWLINK if_nametoindex(%q), IFF_UP, IFLA_IFNAME=%q, IFLA_NET_NS_FD=%%s", d.Name, d.Inside),
		},
		Link: dev, Offset: indexAt,
	}
}

// addAddresses works on a socket that is opened in the other namespace: a
// socket stays in the one that it was made in.
func (d Device) addAddresses(ns kernel.Slot) []kernel.Call {
	const home, there kernel.Slot = "home", "socket-there"
	s, dev := kernel.FD(there), kernel.NewInterface(d.Inside)
	calls := []kernel.Call{
		kernel.Openat(kernel.AtFDCWD, "/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0).Into(home),
		kernel.Setns(kernel.FD(ns), unix.CLONE_NEWNET),
		kernel.NetlinkSocket(kernel.NetlinkRoute).Into(there),
		kernel.Setns(kernel.FD(home), unix.CLONE_NEWNET),
		kernel.Close(kernel.FD(home)),
		dev.Index(s).For(d.Inside),
	}
	for _, a := range d.addresses {
		m := &kernel.LinkMessage{
			Message: kernel.Message{Bytes: a.message, Show: fmt.Sprintf("RTM_NEWADDR if_nametoindex(%q), IFA_LOCAL=%s", d.Inside, a.text)},
			Link:    dev, Offset: indexAt,
		}
		calls = append(calls, kernel.NetlinkLinkRequest(s, m, "ip addr add "+a.text+" dev "+d.Inside)...)
	}
	return append(calls, kernel.Close(s))
}

// AwaitDevices has the new process wait until its devices are there.
func AwaitDevices() step.Step {
	return step.Step{
		Name: "network.await-devices", Topic: book.Networking, Side: step.Inside,
		Why:   "the program is to find its network devices, and settings below net.ipv4.conf may be about them",
		Calls: []kernel.Call{kernel.Await()},
		Rule:  "it is a message",
	}
}

// addressesOf asks for the addresses of a device.
func addressesOf(device string) ([]address, error) {
	index, err := deviceIndex(device)
	if err != nil || index == 0 {
		return nil, err
	}
	dump, err := syscall.NetlinkRIB(unix.RTM_GETADDR, unix.AF_UNSPEC)
	if err != nil {
		return nil, fmt.Errorf("list the addresses of %s: %w", device, err)
	}
	messages, err := syscall.ParseNetlinkMessage(dump)
	if err != nil {
		return nil, fmt.Errorf("list the addresses of %s: %w", device, err)
	}
	var list []address
	for _, m := range messages {
		if m.Header.Type != unix.RTM_NEWADDR || len(m.Data) < unix.SizeofIfAddrmsg {
			continue
		}
		if a, ok := keptAddress(m, index); ok {
			list = append(list, a)
		}
	}
	return list, nil
}

// deviceIndex is the device's number, 0 if there is none of that name.
func deviceIndex(name string) (uint32, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, nil // the move will say so
	}
	return request.Uint32(), nil
}
