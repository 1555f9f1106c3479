package network

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// The host ports that Connect picks from when none is named: the range from
// which the kernel picks for outgoing connections, as docker does.
const firstRandomPort, lastRandomPort = 32768, 60999

// portClaim is a published port on the host, whose file is in ports/.
type portClaim struct {
	protocol Protocol
	ip       netip.Addr
	port     uint16
}

func (p PortMapping) claim() portClaim { return portClaim{p.Protocol, p.HostIP, p.HostPort} }

func (c portClaim) String() string { return fmt.Sprintf("%s-%s-%d", c.protocol, c.ip, c.port) }

func (n *Network) claimPath(c portClaim) string { return filepath.Join(n.State, "ports", c.String()) }

func parseClaim(name string) (portClaim, bool) {
	part := strings.Split(name, "-")
	if len(part) != 3 {
		return portClaim{}, false
	}
	ip, err := netip.ParseAddr(part[1])
	port, perr := strconv.ParseUint(part[2], 10, 16)
	return portClaim{Protocol(part[0]), ip, uint16(port)}, err == nil && perr == nil
}

// excludes reports whether both cannot be at once.
func (c portClaim) excludes(d portClaim) bool {
	return c.protocol == d.protocol && c.port == d.port && (c.ip == d.ip || c.ip.IsUnspecified() || d.ip.IsUnspecified())
}

// claimPorts resolves what was asked for to ports that nobody has, and claims
// them. The caller holds the lock, and releases what was claimed on an error.
func (ep *Endpoint) claimPorts(wanted []PortMapping) error {
	if len(wanted) == 0 {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(ep.State, "ports"))
	if err != nil {
		return fmt.Errorf("list the published ports: %w", err)
	}
	taken := make([]portClaim, 0, len(entries)+len(wanted))
	for _, e := range entries {
		if c, ok := parseClaim(e.Name()); ok {
			taken = append(taken, c)
		}
	}
	for i, p := range wanted {
		if slices.Contains(wanted[:i], p) {
			continue
		}
		p, err := freePort(p, taken)
		if err != nil {
			return err
		}
		if err := claim(ep.claimPath(p.claim()), ep.ID); err != nil {
			return fmt.Errorf("claim port %s: %w", p.claim(), err)
		}
		ep.Ports = append(ep.Ports, p)
		taken = append(taken, p.claim())
	}
	return nil
}

// freePort is p with a host port that neither a container nor a program of the
// host has.
func freePort(p PortMapping, taken []portClaim) (PortMapping, error) {
	first, last, at := p.HostPort, p.HostPort, p.HostPort
	switch {
	case p.HostPort == 0:
		first, last = firstRandomPort, lastRandomPort
		at = first + uint16(rand.UintN(uint(last-first)+1))
	case p.HostPortEnd != 0:
		last = p.HostPortEnd
	}
	p.HostPortEnd = 0
	var refused error
	for range int(last-first) + 1 {
		p.HostPort = at
		err := p.free(taken)
		if err == nil {
			return p, nil
		}
		if refused == nil {
			refused = err
		}
		if at++; at > last || at == 0 {
			at = first
		}
	}
	return p, refused
}

// free asks the other containers' claims, and then the kernel: it binds a
// socket and closes it again. The port could be lost to a program of the host
// before Reserve binds it for good, which then says so.
func (p PortMapping) free(taken []portClaim) error {
	where := netip.AddrPortFrom(p.HostIP, p.HostPort)
	if slices.ContainsFunc(taken, p.claim().excludes) {
		return fmt.Errorf("publish %s: Bind for %s failed: port is already allocated", p, where)
	}
	host := kernel.NewHost()
	const slot kernel.Slot = "try"
	defer func() {
		if fd, ok := host.Slots[slot]; ok {
			_ = unix.Close(int(fd))
		}
	}()
	for _, c := range reservePort(slot, p) {
		if _, err := host.Do(c); err != nil {
			var refused *kernel.CallError
			if errors.As(err, &refused) {
				err = refused.Errno
			}
			return fmt.Errorf("publish %s: failed to bind host port %s/%s: %w", p, where, p.Protocol, err)
		}
	}
	return nil
}

// ports names the containers that have published a port, by claim file.
func (n *Network) ports() (map[string]string, error) { return owners(filepath.Join(n.State, "ports")) }

// owners reads a directory of claims.
func owners(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the claims: %w", err)
	}
	byName := make(map[string]string, len(entries))
	for _, e := range entries {
		b, err := readLine(filepath.Join(dir, e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read a claim: %w", err)
		}
		byName[e.Name()] = strings.TrimSpace(string(b))
	}
	return byName, nil
}
