package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Addresses are leased in turn: the file "last" holds the newest one and the
// search begins behind it. An address that was just given back is so the last
// to be used again, by when the interface that had it is gone, and so are the
// neighbours' ARP entries.

func (n *Network) leasePath(ip netip.Addr) string {
	return filepath.Join(n.leasesPath(), ip.String())
}

func (n *Network) leasesPath() string { return filepath.Join(n.State, "leases") }

func (n *Network) lastPath() string { return filepath.Join(n.State, "last") }

// lease claims the next free address for id. The caller holds the lock.
func (n *Network) lease(id string) (netip.Addr, error) {
	last := n.lastLease()
	for ip := n.after(last); ; ip = n.after(ip) {
		err := claim(n.leasePath(ip), id)
		switch {
		case err == nil:
			if err := writeLine(n.lastPath(), ip.String(), unix.O_TRUNC); err != nil {
				return netip.Addr{}, errors.Join(fmt.Errorf("note the newest lease: %w", err), os.Remove(n.leasePath(ip)))
			}
			return ip, nil
		case !errors.Is(err, fs.ErrExist):
			return netip.Addr{}, fmt.Errorf("lease the address %s: %w", ip, err)
		case ip == last:
			return netip.Addr{}, fmt.Errorf("no free address left in the network %s", n.Subnet)
		}
	}
}

// lastLease is the newest lease, or what stands for none.
func (n *Network) lastLease() netip.Addr {
	if b, err := readLine(n.lastPath()); err == nil {
		if ip, err := netip.ParseAddr(strings.TrimSpace(string(b))); err == nil && n.Subnet.Contains(ip) {
			return ip
		}
	}
	return n.Gateway
}

// after is the next address that a container can have: not the gateway's, and
// neither the first nor the last, which mean the network itself and everybody.
func (n *Network) after(ip netip.Addr) netip.Addr {
	for {
		ip = ip.Next()
		if !n.Subnet.Contains(ip) || ip == lastAddr(n.Subnet) {
			ip = n.Subnet.Masked().Addr().Next()
		}
		if ip != n.Gateway {
			return ip
		}
	}
}

// leases names the containers that have an address, by address.
func (n *Network) leases() (map[string]string, error) {
	return owners(n.leasesPath())
}

// touch notes that the network was used just now.
func (n *Network) touch() error {
	now := time.Now()
	if err := os.Chtimes(n.lastPath(), now, now); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("note the network's use: %w", err)
	}
	return nil
}

// idle is how long ago the network was used.
func (n *Network) idle() time.Duration {
	fi, err := os.Stat(n.lastPath())
	if err != nil {
		return time.Hour
	}
	return time.Since(fi.ModTime())
}
