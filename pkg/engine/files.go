package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"minictr/pkg/engine/bundle"
	"minictr/pkg/network"
)

// Files of the host that say how names resolve here. Where systemd-resolved
// answers on the loopback, its other file names the servers it asks itself.
const (
	hostHosts     = "/etc/hosts"
	hostResolver  = "/etc/resolv.conf"
	otherResolver = "/run/systemd/resolve/resolv.conf"
)

// files writes the container's hosts, hostname and resolv.conf into its bundle
// and says where in the container each belongs.
func (p *netPlace) files(c *Container, dir string) (map[string]string, error) {
	if p.shared != "" {
		return places(p.shared), nil
	}
	hosts, err := p.hosts(c)
	if err != nil {
		return nil, err
	}
	resolver, err := p.resolver(c)
	if err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{hostsFile: hosts, nameFile: []byte(p.hostname + "\n"), dnsFile: resolver} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return nil, fmt.Errorf("write the container's %s: %w", name, err)
		}
	}
	return places(dir), nil
}

func places(dir string) map[string]string {
	return map[string]string{
		"/etc/hosts":       filepath.Join(dir, hostsFile),
		"/etc/hostname":    filepath.Join(dir, nameFile),
		"/etc/resolv.conf": filepath.Join(dir, dnsFile),
	}
}

func (p *netPlace) hosts(c *Container) ([]byte, error) {
	extra, gateway := slices.Clone(c.Config.ExtraHosts), ""
	if p.endpoint != nil {
		gateway = p.endpoint.Gateway.String()
	}
	for i, e := range extra {
		if name, ok := strings.CutSuffix(e, ":host-gateway"); ok {
			if gateway == "" {
				return nil, fmt.Errorf("--add-host %s: without a bridge network there is no gateway", e)
			}
			extra[i] = name + ":" + gateway
		}
	}
	if p.ns.Host {
		text, err := os.ReadFile(hostHosts)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return append(text, bundle.HostLines(extra)...), nil
	}
	address := ""
	if p.endpoint != nil {
		address = p.endpoint.IP.String()
	}
	return bundle.Hosts(address, p.hostname, c.Config.Domainname, extra), nil
}

// resolver is the host's resolv.conf as it makes sense in the container.
func (p *netPlace) resolver(c *Container) ([]byte, error) {
	text, err := os.ReadFile(hostResolver)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r := bundle.ParseResolver(text)
	if !p.ns.Host {
		if other, err := os.ReadFile(otherResolver); err == nil && r.Local() && len(r.Servers) > 0 {
			r = bundle.ParseResolver(other)
		}
		r = r.Reachable()
	}
	return r.With(c.Config.DNS, c.Config.DNSSearch, c.Config.DNSOptions).Text(), nil
}

// exposes are the ports that user and image say the program listens on, each
// as "80/tcp".
func (c *Container) exposes() []string {
	var list []string
	for _, s := range append(slices.Clone(c.Config.Expose), slices.Sorted(maps.Keys(c.Image.Config.ExposedPorts))...) {
		ports, err := network.ParsePort(s)
		for _, p := range ports {
			list = append(list, exposed(p))
		}
		if err != nil { // an image may say anything
			list = append(list, s)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
