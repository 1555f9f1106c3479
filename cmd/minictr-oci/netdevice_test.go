package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var cables atomic.Int32

// newName is a device's name that nobody has used: the kernel takes its time to
// remove devices with their network namespace.
func newName() string { return fmt.Sprintf("mt%d-%d", os.Getpid(), cables.Add(1)) }

// cable is one end of a veth pair, with addresses, for a container to take.
func cable(t *testing.T, name string) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = name, 1400
	link := &netlink.Veth{LinkAttrs: attrs, PeerName: name + "p"}
	if err := netlink.LinkAdd(link); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { uncable(name) })
	for _, a := range []struct {
		address, broadcast string
		scope              netlink.Scope
	}{
		{"192.0.2.7/24", "192.0.2.200", netlink.SCOPE_UNIVERSE},
		{"192.0.2.8/32", "", netlink.SCOPE_LINK}, // for this host only: it does not come with the device
		{"2001:db8::7/64", "", netlink.SCOPE_UNIVERSE},
	} {
		address, err := netlink.ParseAddr(a.address)
		if err != nil {
			t.Fatal(err)
		}
		address.Scope, address.Broadcast = int(a.scope), net.ParseIP(a.broadcast).To4()
		if err := netlink.AddrAdd(link, address); err != nil {
			t.Fatalf("%s: %v", a.address, err)
		}
	}
}

func uncable(name string) {
	if link, err := netlink.LinkByName(name); err == nil {
		_ = netlink.LinkDel(link)
	}
}

func TestNetworkDevicesMoveIntoTheContainerWithTheirAddresses(t *testing.T) {
	for name, change := range map[string]func(*bench){
		"its own network": func(*bench) {},
		"a network that is there": func(b *bench) {
			b.without(specs.NetworkNamespace)
			holder := exec.Command("sleep", "1000")
			holder.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
			if err := holder.Start(); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
			b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces,
				specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: fmt.Sprintf("/proc/%d/ns/net", holder.Process.Pid)})
		},
		"users of its own": func(b *bench) {
			ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
			b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
			b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings = ids, ids
			if err := os.Chown(b.bundle+"/rootfs", 100000, 100000); err != nil {
				b.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			device := newName()
			change(b)
			cable(t, device)
			b.spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{device: {Name: "ext0"}}
			b.spec.Linux.Sysctl = map[string]string{"net.ipv4.conf.ext0.rp_filter": "2"}
			out := b.run("busybox", "ip", "addr", "show", "dev", "ext0")
			for _, want := range []string{"UP", "mtu 1400", "inet 192.0.2.7/24 brd 192.0.2.200", "inet6 2001:db8::7/64"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			if strings.Contains(out, "192.0.2.8") {
				t.Errorf("an address of the host has come with it:\n%s", out)
			}
			if _, err := netlink.LinkByName(device); err == nil {
				t.Errorf("the host still has %s", device)
			}
		})
	}
}

func TestNetworkDevicesThatCannotMoveAreRefused(t *testing.T) {
	b := newBench(t)
	b.program("true")
	for name, message := range map[string]string{"": "No such device", "lo": "File exists", "a/b": `"a/b" is no name`, "0123456789abcdef": "is no name", "x%d": "has addresses"} {
		device := newName()
		if name != "" {
			cable(t, device)
		}
		b.spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{device: {Name: name}}
		b.save()
		b.fail(1, message, "create", b.id)
		uncable(device)
	}
	b.without(specs.NetworkNamespace)
	b.save()
	b.fail(1, "the host's network", "create", b.id)
}
