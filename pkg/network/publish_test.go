package network

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAPublishedPortIsReachedFromEverywhere(t *testing.T) {
	for _, call := range []string{"0", "1"} {
		t.Run("bridge-nf-call-iptables="+call, func(t *testing.T) {
			h := newHost(t)
			if err := os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-iptables", []byte(call), 0); err != nil {
				if call == "1" {
					t.Skip("needs the module br_netfilter: ", err)
				}
			}
			publishedEverywhere(t, h)
		})
	}
}

func publishedEverywhere(t *testing.T, h *host) {
	n := h.newNode("uplink", "198.51.100.1/24", "198.51.100.2/24")
	c := h.start(h.connect("web", "8080:80", "8080:80/udp"))
	other := h.start(h.connect("other"))
	for _, proto := range []string{"tcp4", "udp4"} {
		n.do(func() { wantSeen(t, proto, "198.51.100.1:8080", "198.51.100.2") })
		wantSeen(t, proto, "127.0.0.1:8080", c.Gateway.String())
		wantSeen(t, proto, "198.51.100.1:8080", "198.51.100.1")
		wantSeen(t, proto, c.Gateway.String()+":8080", c.Gateway.String())
		h.inside(other, func() { wantSeen(t, proto, "198.51.100.1:8080", c.Gateway.String()) })
		h.inside(c, func() { wantSeen(t, proto, c.Gateway.String()+":8080", c.Gateway.String()) })
	}
	c.stop(h)
	n.do(func() { wantUnreachable(t, "tcp4", "198.51.100.1:8080") })
	other.stop(h)
	h.wantClean()
}

func TestAPortOnOneAddressIsOnThatAddressOnly(t *testing.T) {
	h := newHost(t)
	n := h.newNode("uplink", "198.51.100.1/24", "198.51.100.2/24")
	c := h.start(h.connect("web", "127.0.0.1:8080:80", "198.51.100.1:8081:80"))
	wantSeen(t, "tcp4", "127.0.0.1:8080", c.Gateway.String())
	wantUnreachable(t, "tcp4", "198.51.100.1:8080")
	wantUnreachable(t, "tcp4", "127.0.0.1:8081")
	n.do(func() {
		wantUnreachable(t, "tcp4", "198.51.100.1:8080")
		wantSeen(t, "tcp4", "198.51.100.1:8081", "198.51.100.2")
	})
	c.stop(h)
	h.wantClean()
}

// A neighbour that routes packets for 127.0.0.1 or for a container's address
// to the host gets in by published ports only.
func TestNeighboursGetInByPublishedPortsOnly(t *testing.T) {
	h := newHost(t)
	n := h.newNode("uplink", "198.51.100.1/24", "198.51.100.2/24")
	c := h.start(h.connect("web", "127.0.0.1:8080:80"))
	n.do(func() {
		h.command("ip", "route", "add", "default", "via", "198.51.100.1")
		wantUnreachable(t, "tcp4", c.IP.String()+":80")
		h.command("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
		h.command("ip", "addr", "del", "127.0.0.1/8", "dev", "lo")
		h.command("ip", "route", "add", "127.0.0.1", "via", "198.51.100.1", "src", "198.51.100.2")
		wantUnreachable(t, "tcp4", "127.0.0.1:8080")
	})
	c.stop(h)
	h.wantClean()
}

func TestAContainerCannotReachTheHostsLoopback(t *testing.T) {
	h := newHost(t)
	if err := answer("127.0.0.1:99"); err != nil {
		t.Fatal(err)
	}
	c := h.start(h.connect("web", "8080:80")) // sets route_localnet
	h.inside(c, func() {
		h.command("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
		h.command("ip", "addr", "del", "127.0.0.1/8", "dev", "lo")
		h.command("ip", "route", "add", "127.0.0.1", "via", c.Gateway.String(), "src", c.IP.String())
		wantUnreachable(t, "tcp4", "127.0.0.1:99")
	})
}

func TestAPortIsTakenOnce(t *testing.T) {
	h := newHost(t)
	l, err := net.Listen("tcp4", "127.0.0.1:7000")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h.connect("first", "8080:80", "127.0.0.1:9090:80")
	for _, tc := range []struct{ port, want string }{
		{"8080:80", "Bind for 0.0.0.0:8080 failed: port is already allocated"},
		{"127.0.0.1:8080:80", "Bind for 127.0.0.1:8080 failed: port is already allocated"},
		{"9090:80", "Bind for 0.0.0.0:9090 failed: port is already allocated"},
		{"7000:80", "failed to bind host port 0.0.0.0:7000/tcp: address already in use"},
		{"203.0.113.9:80:80", "failed to bind host port 203.0.113.9:80/tcp: cannot assign requested address"},
		{"8080:80/udp", ""},
		{"127.0.0.2:9090:80", ""},
	} {
		m, err := ParsePort(tc.port)
		if err != nil {
			t.Fatal(err)
		}
		ep, err := Connect(h.runDir, "second", Options{Ports: m})
		if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && !strings.Contains(got, tc.want) {
			t.Errorf("%s: %v, want %q", tc.port, err, tc.want)
		}
		if err == nil {
			err = Disconnect(h.runDir, ep)
		}
		if leases, _ := os.ReadDir(h.runDir + "/networks/bridge/leases"); len(leases) != 1 {
			t.Errorf("%s: %d leases, want the first container's only (%v)", tc.port, len(leases), err)
		}
	}
}

func TestAHostPortIsPickedWhereNoneIsNamed(t *testing.T) {
	h := newHost(t)
	a := h.connect("a", "80", "81/udp", "127.0.0.1::82", "20000-20002:90").Ports
	b := h.connect("b", "20000-20002:90", "20000-20002:90/tcp").Ports
	if len(a) != 4 || a[0].HostPort < firstRandomPort || a[1].HostPort < firstRandomPort || a[2].HostPort < firstRandomPort || a[3].HostPort != 20000 {
		t.Errorf("a has %v", a)
	}
	if len(b) != 1 || b[0].HostPort != 20001 {
		t.Errorf("b has %v", b)
	}
}

func TestTheHostsProgramsSeeThatAPortIsTaken(t *testing.T) {
	h := newHost(t)
	c := h.start(h.connect("web", "8080:80", "8081:80/udp"))
	if l, err := net.Listen("tcp4", ":8080"); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("listening got %v %v", l, err)
	}
	if l, err := net.ListenPacket("udp4", ":8081"); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("binding got %v %v", l, err)
	}
	c.stop(h)
	l, err := net.Listen("tcp4", ":8080")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	h.wantClean()
}

// An earlier server's connections in TIME_WAIT do not keep its port.
func TestAPortWithConnectionsWindingDownCanBePublished(t *testing.T) {
	h := newHost(t)
	l, err := net.Listen("tcp4", "127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if c, err := l.Accept(); err == nil {
			c.Close() // first: the server's side goes through TIME_WAIT
		}
	}()
	client, err := net.DialTimeout("tcp4", "127.0.0.1:8080", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = client.Read(make([]byte, 1))
	client.Close()
	l.Close()
	if out := h.command("ss", "-tan"); !strings.Contains(out, "TIME-WAIT") {
		t.Fatalf("no connection winds down:\n%s", out)
	}
	c := h.start(h.connect("web", "8080:80"))
	wantSeen(t, "tcp4", "127.0.0.1:8080", c.Gateway.String())
}

func TestManyPortsAreOneTransaction(t *testing.T) {
	h := newHost(t)
	c := h.start(h.connect("web", "20000-20199:80-279"))
	wantSeen(t, "tcp4", "127.0.0.1:20000", c.Gateway.String())
	if took := c.took["network.publish"]; took > 100*time.Millisecond {
		t.Errorf("publishing 200 ports took %v", took)
	}
	c.stop(h)
	h.wantClean()
}

// A client that goes on sending from one port gets through to what the port
// leads to now, whatever it led to when the client began.
func TestUDPClientsFollowThePort(t *testing.T) {
	h := newHost(t)
	n := h.newNode("uplink", "198.51.100.1/24", "198.51.100.2/24")
	var client net.Conn
	n.do(func() {
		var err error
		if client, err = net.Dial("udp4", "198.51.100.1:5353"); err != nil {
			t.Error(err)
		}
	})
	if client == nil {
		return
	}
	defer client.Close()
	answered := func() bool {
		_ = client.SetDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := client.Write([]byte("?")); err != nil {
			return false // the host refused an earlier one
		}
		_, err := client.Read(make([]byte, 100))
		return err == nil
	}
	if answered() {
		t.Error("nobody is there, and it answers")
	}
	for _, id := range []string{"first", "second"} {
		c := h.start(h.connect(id, "5353:80/udp"))
		if first := answered(); !first && !answered() { // the first may only learn of an earlier refusal
			t.Errorf("the client does not reach the %s container", id)
		}
		c.stop(h)
	}
	h.wantClean()
}
