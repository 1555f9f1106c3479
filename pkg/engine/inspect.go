package engine

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"minictr/pkg/engine/bundle"
	"minictr/pkg/engine/config"
	"minictr/pkg/network"
	"minictr/pkg/record"
)

// Inspect tells everything about a container.
func (e *Engine) Inspect(ref string) (*Inspection, error) {
	c, err := e.Get(ref)
	if err != nil {
		return nil, err
	}
	dir := e.Dirs.Container(c.ID)
	i := &Inspection{
		ID: c.ID, Created: c.Created, State: inspectState(c.State), Image: c.Image.ID,
		ResolvConfPath: filepath.Join(dir, dnsFile), HostnamePath: filepath.Join(dir, nameFile), HostsPath: filepath.Join(dir, hostsFile),
		LogPath: e.logPath(c), Name: "/" + c.Name, RestartCount: c.State.Restarts, Driver: "overlay2", Platform: "linux",
		HostConfig: c.hostConfig(), Config: c.config(), NetworkSettings: e.inspectNetwork(c), Mounts: e.inspectMounts(c),
		GraphDriver: InspectGraphDriver{Name: "overlay2", Data: map[string]string{
			"LowerDir": strings.Join(c.Layers, ":"), "UpperDir": filepath.Join(dir, upperDir),
			"WorkDir": filepath.Join(dir, workDir), "MergedDir": filepath.Join(dir, rootDir),
		}},
	}
	i.AppArmorProfile, _ = apparmor(&c.Config)
	if len(c.Args) > 0 {
		i.Path, i.Args = c.Args[0], c.Args[1:]
	}
	return i, nil
}

// inspectDevices fills in what concerns devices and limits of disks.
func inspectDevices(h *InspectHostConfig, c *config.Config) {
	h.CgroupParent, h.CgroupnsMode, h.Annotations = c.CgroupParent, cmp.Or(c.Namespaces.Cgroup, "private"), c.Annotations
	h.OomKillDisable, h.MemorySwappiness = c.OOMKillDisable, c.MemorySwappiness
	h.CPURealtimePeriod, h.CPURealtimeRuntime, h.BlkioWeight = c.CPURtPeriod, c.CPURtRuntime, c.BlkioWeight
	for _, d := range c.Devices {
		h.Devices = append(h.Devices, InspectDevice{d.Host, d.Container, d.Permissions})
	}
	for _, r := range c.DeviceRules {
		h.DeviceCgroupRules = append(h.DeviceCgroupRules, r.String())
	}
	for _, w := range c.BlkioWeightDevice {
		h.BlkioWeightDevice = append(h.BlkioWeightDevice, InspectRate{Path: w.Path, Weight: w.Rate})
	}
	for _, l := range []struct {
		dst  *[]InspectRate
		from []config.DeviceRate
	}{
		{&h.BlkioDeviceReadBps, c.DeviceReadBps},
		{&h.BlkioDeviceWriteBps, c.DeviceWriteBps},
		{&h.BlkioDeviceReadIOps, c.DeviceReadIOPS},
		{&h.BlkioDeviceWriteIOps, c.DeviceWriteIOPS},
	} {
		for _, r := range l.from {
			*l.dst = append(*l.dst, InspectRate{Path: r.Path, Rate: r.Rate})
		}
	}
}

func inspectState(s record.State) InspectState {
	return InspectState{
		Status: string(s.Status), Running: s.Live(), Paused: s.Status == record.Paused, Restarting: s.Status == record.Restarting,
		Health: inspectHealth(s.Health), Dead: s.Status == record.Dead,
		OOMKilled: s.OOMKilled, Pid: s.Pid, ExitCode: s.ExitCode, Error: s.Error, StartedAt: s.StartedAt, FinishedAt: s.FinishedAt,
	}
}

func (c *Container) hostConfig() InspectHostConfig {
	cfg := &c.Config
	h := InspectHostConfig{
		NetworkMode: cfg.Mode, PortBindings: bindings(cfg.Ports), AutoRemove: cfg.AutoRemove, VolumesFrom: cfg.VolumesFrom,
		RestartPolicy: InspectRestart{cfg.Restart.Name, cfg.Restart.Retries}, CapAdd: capNames(cfg.CapAdd), CapDrop: capNames(cfg.CapDrop),
		DNS: cfg.DNS, DNSOptions: cfg.DNSOptions, DNSSearch: cfg.DNSSearch, ExtraHosts: cfg.ExtraHosts, GroupAdd: cfg.GroupAdd,
		IpcMode: cmp.Or(cfg.Namespaces.IPC, "private"), PidMode: cfg.Namespaces.PID, UTSMode: cfg.Namespaces.UTS, UsernsMode: cfg.Namespaces.User, OomScoreAdj: cfg.OOMScoreAdj,
		Privileged: cfg.Privileged, PublishAllPorts: cfg.PublishAll, ReadonlyRootfs: cfg.ReadOnly, SecurityOpt: securityOptions(cfg),
		ShmSize: cfg.ShmSize, Sysctls: cfg.Sysctls, CPUShares: cfg.CPUShares, Memory: cfg.Memory, NanoCPUs: cfg.NanoCPUs,
		CPUPeriod: cfg.CPUPeriod, CPUQuota: cfg.CPUQuota, CpusetCpus: cfg.CpusetCpus, CpusetMems: cfg.CpusetMems,
		MemoryReservation: cfg.MemoryReservation, MemorySwap: cfg.MemoryAndSwap(), PidsLimit: cfg.PidsLimit,
	}
	inspectDevices(&h, cfg)
	h.LogConfig = InspectLog{cmp.Or(cfg.Log.Driver, "json-file"), cfg.Log.Options}
	if h.LogConfig.Config == nil {
		h.LogConfig.Config = map[string]string{}
	}
	if cfg.Init {
		h.Init = &cfg.Init
	}
	h.Runtime = cmp.Or(cfg.Runtime, OwnRuntime)
	if h.NetworkMode == "" {
		h.NetworkMode = "bridge"
	}
	if h.RestartPolicy.Name == "" {
		h.RestartPolicy.Name = "no"
	}
	if h.ShmSize == 0 {
		h.ShmSize = bundle.DefaultShmSize
	}
	if !cfg.Privileged && !cfg.Unmasked {
		h.MaskedPaths, h.ReadonlyPaths = bundle.MaskedPaths, bundle.ReadonlyPaths
	}
	inspectWanted(&h, cfg.Mounts)
	for _, u := range cfg.Ulimits {
		h.Ulimits = append(h.Ulimits, InspectUlimit{u.Name, u.Hard, u.Soft})
	}
	return h
}

// capNames are capabilities by the kernel's names, however they were written.
func capNames(list []string) (names []string) {
	for _, name := range list {
		if name = strings.ToUpper(name); name != "ALL" && !strings.HasPrefix(name, "CAP_") {
			name = "CAP_" + name
		}
		names = append(names, name)
	}
	return names
}

// securityOptions are --security-opt values that say the same again.
func securityOptions(c *config.Config) []string {
	var list []string
	if c.NoNewPrivileges {
		list = append(list, "no-new-privileges")
	}
	if c.Seccomp != "" {
		list = append(list, "seccomp="+c.Seccomp)
	}
	if c.AppArmor != "" {
		list = append(list, "apparmor="+c.AppArmor)
	}
	if c.Unmasked {
		list = append(list, "systempaths=unconfined")
	}
	return list
}

func bindings(ports []network.PortMapping) map[string][]InspectPort {
	all := make(map[string][]InspectPort)
	for _, p := range ports {
		port := InspectPort{HostPort: strconv.Itoa(int(p.HostPort))}
		if p.HostIP.IsValid() {
			port.HostIP = p.HostIP.String()
		}
		all[exposed(p)] = append(all[exposed(p)], port)
	}
	return all
}

func (c *Container) config() InspectConfig {
	cfg, img := &c.Config, &c.Image.Config
	i := InspectConfig{
		Hostname: cfg.Hostname, Domainname: cfg.Domainname, User: cfg.User, Tty: cfg.TTY, OpenStdin: cfg.OpenStdin,
		StdinOnce: cfg.StdinOnce, AttachStdin: slices.Contains(cfg.Attach, "stdin"),
		AttachStdout: slices.Contains(cfg.Attach, "stdout"), AttachStderr: slices.Contains(cfg.Attach, "stderr"), Env: bundle.Environment(img.Env, cfg.Env), Cmd: cfg.Command, Image: c.Image.Name,
		Volumes: img.Volumes, WorkingDir: cfg.WorkingDir, Entrypoint: img.Entrypoint, Labels: map[string]string{},
		StopSignal: cmp.Or(cfg.StopSignal, img.StopSignal), Healthcheck: c.Health, ExposedPorts: map[string]struct{}{},
	}
	if i.Hostname == "" {
		i.Hostname = c.ShortID()
	}
	if i.User == "" {
		i.User = img.User
	}
	if i.WorkingDir == "" {
		i.WorkingDir = img.WorkingDir
	}
	if cfg.Entrypoint != nil {
		i.Entrypoint = *cfg.Entrypoint
	} else if len(cfg.Command) == 0 {
		i.Cmd = img.Cmd
	}
	for _, labels := range []map[string]string{img.Labels, cfg.Labels} {
		for k, v := range labels {
			i.Labels[k] = v
		}
	}
	for _, p := range c.exposes() {
		i.ExposedPorts[p] = struct{}{}
	}
	for _, p := range cfg.Ports {
		i.ExposedPorts[exposed(p)] = struct{}{}
	}
	for _, m := range cfg.Mounts {
		if m.Type == config.Volume && m.Source == "" && !m.Words {
			if i.Volumes = maps.Clone(i.Volumes); i.Volumes == nil {
				i.Volumes = make(map[string]struct{})
			}
			i.Volumes[m.Target] = struct{}{}
		}
	}
	if cfg.StopTimeout != nil {
		seconds := int(cfg.StopTimeout.Seconds())
		i.StopTimeout = &seconds
	}
	return i
}

func (e *Engine) inspectNetwork(c *Container) InspectNetwork {
	n := InspectNetwork{Ports: bindings(nil), Networks: map[string]InspectEndpoint{}}
	for _, p := range c.exposes() {
		n.Ports[p] = nil
	}
	if c.Running() {
		n.SandboxKey = fmt.Sprintf("/proc/%d/ns/net", c.State.Pid)
	}
	if name := c.NetworkNames()[0]; !strings.HasPrefix(name, "container:") {
		n.Networks[name] = InspectEndpoint{}
	}
	ep := e.endpoint(c)
	if ep == nil {
		return n
	}
	for port, list := range bindings(ep.Ports) {
		n.Ports[port] = list
	}
	n.Gateway, n.IPAddress, n.IPPrefixLen, n.MacAddress = ep.Gateway.String(), ep.IP.String(), ep.Subnet.Bits(), ep.MAC.String()
	n.Networks[ep.Name] = InspectEndpoint{Gateway: n.Gateway, IPAddress: n.IPAddress, IPPrefixLen: n.IPPrefixLen, MacAddress: n.MacAddress}
	return n
}

// endpoint is a running container's plug into the network, nil if it has none.
func (e *Engine) endpoint(c *Container) *network.Endpoint {
	if !c.Running() || !c.bridged() {
		return nil
	}
	ep, err := e.planned(c)
	if err != nil {
		return nil
	}
	return ep
}

// planned is the plug of a container's last plan: plan.json without the rest,
// which ps would read a hundred times for nothing.
func (e *Engine) planned(c *Container) (*network.Endpoint, error) {
	raw, err := os.ReadFile(filepath.Join(e.Dirs.Container(c.ID), "plan.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var plan struct{ Network *network.Endpoint }
	if err == nil {
		err = json.Unmarshal(raw, &plan)
	}
	return plan.Network, err
}

// bridged tells whether the container is on a network of ours.
func (c *Container) bridged() bool {
	m := c.Config.Mode
	return m != "host" && m != "none" && !strings.HasPrefix(m, "container:")
}

// Ports are the ports of a container as `ps` shows them: published ones while
// it runs, and those it exposes.
func (e *Engine) Ports(c *Container) []network.PortMapping {
	if !c.Running() {
		return nil
	}
	var list []network.PortMapping
	if len(c.Config.Ports) > 0 || c.Config.PublishAll {
		if ep := e.endpoint(c); ep != nil {
			list = append(list, ep.Ports...)
		}
	}
	published := bindings(list)
	for _, s := range c.exposes() {
		ports, err := network.ParsePort(s)
		for _, p := range ports {
			if _, ok := published[exposed(p)]; err == nil && !ok {
				list = append(list, network.PortMapping{ContainerPort: p.ContainerPort, Protocol: p.Protocol})
			}
		}
	}
	return list
}
