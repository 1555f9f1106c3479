package network

import (
	"strings"
	"testing"
)

func TestAContainerReachesItsGatewayAndIsReached(t *testing.T) {
	h := newHost(t)
	c := h.start(h.connect("one"))
	if out, err := h.inside(c, "ping", "-c1", "-W2", c.Gateway.String()); err != nil {
		t.Error(err, out)
	}
	h.wantSeen("tcp4", c.IP.String()+":80", c.Gateway.String())
	out, err := h.inside(c, "ip", "addr")
	if err != nil || !strings.Contains(out, c.Prefix().String()) || !strings.Contains(out, c.MAC.String()) {
		t.Error(err, out)
	}
	c.stop(h)
	h.wantClean()
}

func TestContainersGoOutUnderTheHostsAddress(t *testing.T) {
	h := newHost(t)
	n := h.newNode("uplink", "198.51.100.1/24", "198.51.100.2/24")
	c := h.start(h.connect("one"))
	_ = n
	if out, err := h.inside(c, "ping", "-c1", "-W2", "198.51.100.2"); err != nil {
		t.Error(err, out)
	}
	c.stop(h)
	h.wantClean()
}
