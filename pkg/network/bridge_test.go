package network

import (
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

func TestAContainerAndItsHostReachEachOther(t *testing.T) {
	h := newHost(t)
	c := h.start(h.connect("one"))
	wantSeen(t, "tcp4", c.IP.String()+":80", c.Gateway.String())
	if err := answer(c.Gateway.String() + ":99"); err != nil {
		t.Fatal(err)
	}
	h.inside(c, func() {
		wantSeen(t, "tcp4", c.Gateway.String()+":99", c.IP.String())
		wantSeen(t, "tcp4", "127.0.0.1:80", "127.0.0.1")
		h.wantInterface("eth0", c.Prefix().String(), c.MAC.String())
		h.wantInterface("lo", "127.0.0.1/8", "")
	})
	c.stop(h)
	h.wantClean()
}

func (h *host) wantInterface(name, addr, mac string) {
	h.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		h.Error(err)
		return
	}
	addrs, err := netlink.AddrList(link, unix.AF_INET)
	if err != nil || len(addrs) != 1 || addrs[0].IPNet.String() != addr {
		h.Errorf("%s has addresses %v, want %s (%v)", name, addrs, addr, err)
	}
	if got := link.Attrs().HardwareAddr.String(); !strings.HasPrefix(got, mac) || link.Attrs().Flags&unix.IFF_UP == 0 {
		h.Errorf("%s has MAC %s, flags %v", name, got, link.Attrs().Flags)
	}
}

func TestContainersGoOutUnderTheHostsAddress(t *testing.T) {
	h := newHost(t)
	n := h.newNode("uplink", "198.51.100.1/24", "198.51.100.2/24")
	n.do(func() {
		if err := answer(":99"); err != nil {
			t.Error(err)
		}
	})
	c := h.start(h.connect("one"))
	h.inside(c, func() {
		wantSeen(t, "tcp4", "198.51.100.2:99", "198.51.100.1")
		wantSeen(t, "udp4", "198.51.100.2:99", "198.51.100.1")
	})
	c.stop(h)
	h.wantClean()
}

func TestContainersReachEachOtherUnderTheirOwnAddress(t *testing.T) {
	h := newHost(t)
	a, b := h.start(h.connect("a")), h.start(h.connect("b"))
	h.inside(a, func() { wantSeen(t, "tcp4", b.IP.String()+":80", a.IP.String()) })
	a.stop(h)
	h.inside(b, func() { wantSeen(t, "tcp4", b.IP.String()+":80", b.IP.String()) })
	wantSeen(t, "tcp4", b.IP.String()+":80", b.Gateway.String())
	b.stop(h)
	h.wantClean()
}

// Before Plug asked for the carrier's state, one of thirty containers lost its
// first packet, and a second.
func TestTheFirstPacketIsNotLost(t *testing.T) {
	h := newHost(t)
	for i := range 40 {
		ep := h.connect("c")
		plan := append(h.plan(ep)[:5:5], step.Step{Name: "test.exec", Side: step.Inside, Calls: connectTo(ep)})
		p, err := new(step.Runner).Run(plan)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var status unix.WaitStatus
		if _, err := unix.Wait4(p.PID, &status, 0, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 500*time.Millisecond {
			t.Errorf("container %d: connecting to the gateway took %v", i, took)
		}
		if i%5 != 4 { // now and then the next one finds no bridge
			err = Disconnect(h.runDir, ep)
		} else {
			err = step.Undo(plan, names(plan), nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := RemoveIfUnused(h.runDir, 0, nil); err != nil {
		t.Fatal(err)
	}
	h.wantClean()
}

// connectTo is a program that connects to a closed port of the gateway.
func connectTo(ep *Endpoint) []kernel.Call {
	script := "exec 3<>/dev/tcp/" + ep.Gateway.String() + "/9"
	return []kernel.Call{kernel.Execve("/bin/bash", []string{"bash", "-c", "exec 2>/dev/null; " + script}, nil)}
}

func TestLoopbackIsAllOfNoNetwork(t *testing.T) {
	h := newHost(t)
	plan := h.plan(h.connect("one"))
	plan = step.Plan{plan[plan.Index("test.clone")], Loopback(), plan[plan.Index("test.exec")]}
	p, err := new(step.Runner).Run(plan)
	if err != nil {
		t.Fatal(err)
	}
	c := &container{pid: p.PID}
	defer c.kill()
	h.inside(c, func() {
		h.wantInterface("lo", "127.0.0.1/8", "")
		h.eventually(func() error { _, err := ask("tcp4", addrPort("127.0.0.1:80")); return err })
		if links, err := netlink.LinkList(); err != nil || len(links) != 1 {
			t.Errorf("links %v, want lo only (%v)", links, err)
		}
	})
}
