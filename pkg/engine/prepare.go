package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/capability"
	"minictr/pkg/device"
	"minictr/pkg/engine/bundle"
	"minictr/pkg/engine/config"
	"minictr/pkg/engine/merged"
	"minictr/pkg/network"
	"minictr/pkg/overlay"
	"minictr/pkg/runtime"
	"minictr/pkg/seccomp/profile"
)

// prepare makes a container's bundle: the OCI configuration, the plan's, and
// the files that are bound into the container. It is made anew at every start,
// since the address, and what the container has written to its /etc/passwd,
// may be others. The address and ports in it are claimed.
func (e *Engine) prepare(c *Container) (*runtime.Config, error) {
	place, err := e.joinNetwork(c)
	if err != nil {
		return nil, err
	}
	if place.own {
		if err := place.connect(e, c); err != nil {
			return nil, err
		}
	}
	plan, err := e.bundle(c, place)
	if err != nil {
		return nil, errors.Join(err, e.disconnect(place.endpoint))
	}
	return plan, nil
}

func (e *Engine) bundle(c *Container, net *netPlace) (*runtime.Config, error) {
	dir := e.Dirs.Container(c.ID)
	files, err := net.files(c, dir)
	if err != nil {
		return nil, err
	}
	in, err := e.input(c, net, files)
	if err != nil {
		return nil, err
	}
	var loader string
	in.AppArmor, loader = apparmor(&c.Config)
	spec, err := bundle.Spec(in)
	if err != nil {
		return nil, err
	}
	if c.Config.Init {
		if err := withReaper(spec, dir); err != nil {
			return nil, err
		}
	}
	if spec.Linux.Resources, _, err = fit(spec.Linux.Resources); err != nil {
		return nil, err
	}
	secrets, err := e.secretFiles(c)
	if err != nil {
		return nil, err
	}
	plan := &runtime.Config{
		Subpaths: subpaths(c.Mounts), Secrets: secrets,
		ID: c.ID, Bundle: dir, Spec: spec, Network: net.endpoint, RunDir: e.Dirs.Run, Supervised: true,
		Overlay: &overlay.Layers{Lower: c.Layers, Upper: filepath.Join(dir, upperDir), Work: filepath.Join(dir, workDir)},
	}
	plan.ProfileLoader = loader
	if path := c.Config.Runtime; path != "" {
		return plan, e.delegate(plan, path)
	}
	return plan, nil
}

// input gathers the facts about host and image that the configuration depends
// on.
func (e *Engine) input(c *Container, net *netPlace, files map[string]string) (bundle.Input, error) {
	cfg := &c.Config
	in := bundle.Input{
		ID: c.ID, Config: cfg, Image: c.Image.Config, Hostname: net.hostname, Files: files, NetNS: net.ns,
		CgroupsPath: path.Join("/", cfg.CgroupParent, "minictr-"+c.ID), IDs: c.IDs,
		AppArmor: cfg.AppArmor,
	}
	var err error
	if in.Joined, in.Shm, err = e.joins(cfg); err != nil {
		return in, err
	}
	if in.Numbers, err = disks(cfg.Disks()); err != nil {
		return in, err
	}
	if in.Identity, err = e.identify(c); err != nil {
		return in, err
	}
	if c.IDs != nil {
		if err := c.IDs.Check(in.Identity); err != nil {
			return in, err
		}
	}
	own, err := capability.Own()
	if err != nil {
		return in, err
	}
	in.Available = own.Available()
	bounding, err := capability.Resolve(cfg.CapAdd, cfg.CapDrop, cfg.Privileged, in.Available)
	if err != nil {
		return in, err
	}
	if in.Seccomp, err = seccompProfile(cfg, bounding.Names()); err != nil {
		return in, err
	}
	if in.Devices, in.DeviceRules, err = devices(cfg); err != nil {
		return in, err
	}
	for _, m := range c.Mounts {
		if m.Type == config.Volume {
			name := m.Source
			if m, err = e.resolve(m); err == nil && m.FileSystem != nil && m.FileSystem.Type == "tmpfs" {
				err = e.soleUser(c, name)
			}
			if err != nil {
				return in, err
			}
		}
		in.Mounts = append(in.Mounts, m)
	}
	return in, nil
}

// subpaths are the parts of volumes that are mounted, by their targets.
func subpaths(mounts []config.Mount) map[string]string {
	var paths map[string]string
	for _, m := range mounts {
		if m.Subpath != "" {
			if paths == nil {
				paths = make(map[string]string)
			}
			paths[m.Target] = m.Subpath
		}
	}
	return paths
}

// seccompProfile is the user's profile, or docker's: none for a privileged
// container.
func seccompProfile(c *config.Config, bounding []string) (*specs.LinuxSeccomp, error) {
	switch {
	case c.Seccomp == profile.Unconfined, c.Seccomp == "" && c.Privileged:
		return nil, nil
	case c.Seccomp == "":
		return profile.Default(bounding)
	}
	return profile.Load([]byte(c.Seccomp), bounding)
}

// devices are the nodes that the container gets besides the standard ones, and
// the rules that let it use them.
func devices(c *config.Config) ([]specs.LinuxDevice, []specs.LinuxDeviceCgroup, error) {
	if c.Privileged {
		all, err := device.OnHost()
		return all, []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}, err
	}
	var nodes []specs.LinuxDevice
	rules := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	for _, d := range c.Devices {
		found, err := device.Lookup(d.Host, d.Container)
		if err != nil {
			return nil, nil, fmt.Errorf("--device %s: %w", d.Host, err)
		}
		for i := range found {
			rules = append(rules, specs.LinuxDeviceCgroup{
				Allow: true, Type: found[i].Type, Major: &found[i].Major, Minor: &found[i].Minor, Access: d.Permissions,
			})
		}
		nodes = append(nodes, found...)
	}
	for _, r := range c.DeviceRules {
		rules = append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: r.Type, Major: &r.Major, Minor: &r.Minor, Access: r.Access})
	}
	return nodes, rules, nil
}

// maxAccounts bounds /etc/passwd and /etc/group, in bytes.
const maxAccounts = 1 << 20

// identify finds out whom the container runs as. It looks at the container's
// own files first, then at the image's.
func (e *Engine) identify(c *Container) (bundle.Identity, error) {
	user := c.Config.User
	if user == "" {
		user = c.Image.Config.User
	}
	layers := c.Layers
	if upper := filepath.Join(e.Dirs.Container(c.ID), upperDir); exists(upper) { // a bundle for others has none
		layers = append([]string{upper}, layers...)
	}
	view, err := merged.Open(layers...)
	if err != nil {
		return bundle.Identity{}, err
	}
	defer func() { _ = view.Close() }()
	return identify(user, c.Config.GroupAdd, func(path string) ([]byte, error) { return view.ReadFile(path, maxAccounts) })
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func identify(user string, groupAdd []string, read func(string) ([]byte, error)) (bundle.Identity, error) {
	var texts [2][]byte
	for i, path := range []string{"/etc/passwd", "/etc/group"} {
		text, err := read(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return bundle.Identity{}, err
		}
		texts[i] = text
	}
	return bundle.Identify(user, groupAdd, texts[0], texts[1])
}

// netPlace is a container's place in the network.
type netPlace struct {
	ns       bundle.NetNS
	own      bool              // a new namespace, connected to the bridge
	hostname string            // what the container is called
	endpoint *network.Endpoint // nil unless own and connected
	shared   string            // bundle whose hosts, hostname and resolv.conf are used
}

// joinNetwork looks up what --network means.
func (e *Engine) joinNetwork(c *Container) (*netPlace, error) {
	p := &netPlace{hostname: c.Config.Hostname}
	if p.hostname == "" {
		p.hostname = c.ShortID()
	}
	mode := c.Config.Mode
	switch other, joins := strings.CutPrefix(mode, "container:"); {
	case joins:
		return e.joinContainer(p, other)
	case mode == "host":
		p.ns.Host = true
		if c.Config.Hostname == "" {
			name, err := os.Hostname()
			if err != nil {
				return nil, fmt.Errorf("find the host's name: %w", err)
			}
			p.hostname = name
		}
	case mode == "none":
	case mode == "" || mode == "bridge" || mode == "default":
		p.own = true
	default:
		return nil, fmt.Errorf("no network %q: there is bridge, none, host and container:NAME", mode)
	}
	if c.Config.Namespaces.UTS == "host" {
		p.hostname = ""
	}
	return p, nil
}

func (e *Engine) joinContainer(p *netPlace, ref string) (*netPlace, error) {
	other, err := e.joinable(ref, "network")
	if err != nil {
		return nil, err
	}
	p.ns.Path = fmt.Sprintf("/proc/%d/ns/net", other.State.Pid)
	p.shared = e.Dirs.Container(other.ID)
	name, err := os.ReadFile(filepath.Join(p.shared, nameFile))
	if err != nil {
		return nil, fmt.Errorf("find the hostname of container %s: %w", other.Name, err)
	}
	p.hostname = strings.TrimSpace(string(name))
	return p, nil
}

func (p *netPlace) connect(e *Engine, c *Container) error {
	ports, err := publish(c)
	if err != nil {
		return err
	}
	p.endpoint, err = network.Connect(e.Dirs.Run, c.ID, network.Options{Ports: ports})
	if err == nil && c.Config.MACAddress != "" {
		mac, perr := net.ParseMAC(c.Config.MACAddress)
		copy(p.endpoint.MAC[:], mac)
		err = perr
	}
	return err
}

// publish are the ports that -p names, and with -P one of the host's for every
// port that image or user expose.
func publish(c *Container) ([]network.PortMapping, error) {
	ports := append([]network.PortMapping(nil), c.Config.Ports...)
	if !c.Config.PublishAll {
		return ports, nil
	}
	published := make(map[string]bool)
	for _, p := range ports {
		published[exposed(p)] = true
	}
	for _, s := range c.exposes() {
		list, err := network.ParsePort(s)
		if err != nil {
			return nil, fmt.Errorf("exposed port: %w", err)
		}
		for _, p := range list {
			if !published[exposed(p)] {
				published[exposed(p)] = true
				ports = append(ports, p)
			}
		}
	}
	return ports, nil
}

func exposed(p network.PortMapping) string { return fmt.Sprintf("%d/%s", p.ContainerPort, p.Protocol) }

func (e *Engine) disconnect(ep *network.Endpoint) error {
	if ep == nil {
		return nil
	}
	return network.Abandon(ep)
}
