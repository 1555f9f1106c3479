package network

import (
	"strings"
)

// Report says what this host does to packets that it passes on, for doctor.
type Report struct {
	IPForward       bool     // net.ipv4.ip_forward; minictr turns it on
	Dropping        []string // foreign chains that drop what they do not know; Forward deals with them
	LegacyDrops     bool     // so does the old filter table
	LegacyRestore   string   // and this program lets Forward deal with it; "" if there is none
	BridgeNetfilter bool     // packets between containers go through the firewall as well
}

// Forwarding looks at the host. It changes nothing.
func Forwarding(runDir string) (Report, error) {
	n := bridgeNetwork(runDir)
	var r Report
	var err error
	if r.IPForward, err = ipForward(); err != nil {
		return r, err
	}
	chains, err := droppingChains(n.Table)
	if err != nil {
		return r, err
	}
	for _, c := range chains {
		r.Dropping = append(r.Dropping, c.String())
	}
	legacy, err := n.readLegacy()
	if err != nil {
		return r, err
	}
	r.LegacyDrops, r.LegacyRestore = legacy.drops, legacyRestore()
	b, err := readLine("/proc/sys/net/bridge/bridge-nf-call-iptables") // absent without the module br_netfilter
	r.BridgeNetfilter = err == nil && strings.TrimSpace(string(b)) == "1"
	return r, nil
}
