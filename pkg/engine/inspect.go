package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"minictr/pkg/engine/bundle"
	"minictr/pkg/engine/config"
	"minictr/pkg/network"
	"minictr/pkg/record"
)

// The types of this file have docker's names and shapes: what is written for
// the output of `docker inspect` works on ours.

// Inspection is everything about a container.
type Inspection struct {
	ID              string `json:"Id"`
	Created         time.Time
	Path            string
	Args            []string
	State           InspectState
	Image           string
	ResolvConfPath  string
	HostnamePath    string
	HostsPath       string
	LogPath         string
	Name            string
	RestartCount    int
	Driver          string
	Platform        string
	HostConfig      InspectHostConfig
	GraphDriver     InspectGraphDriver
	Mounts          []InspectMount
	Config          InspectConfig
	NetworkSettings InspectNetwork
}

// InspectState is how a container is doing.
type InspectState struct {
	Status     string
	Running    bool
	Paused     bool
	Restarting bool
	OOMKilled  bool
	Dead       bool
	Pid        int
	ExitCode   int
	Error      string
	StartedAt  time.Time
	FinishedAt time.Time
}

// InspectHostConfig is what the container may do and use.
type InspectHostConfig struct {
	Binds           []string
	NetworkMode     string
	PortBindings    map[string][]InspectPort
	RestartPolicy   InspectRestart
	AutoRemove      bool
	VolumesFrom     []string
	CapAdd          []string
	CapDrop         []string
	DNS             []string `json:"Dns"`
	DNSOptions      []string `json:"DnsOptions"`
	DNSSearch       []string `json:"DnsSearch"`
	ExtraHosts      []string
	GroupAdd        []string
	IpcMode         string
	OomScoreAdj     int
	PidMode         string
	Privileged      bool
	PublishAllPorts bool
	ReadonlyRootfs  bool
	SecurityOpt     []string
	UTSMode         string
	ShmSize         int64
	Sysctls         map[string]string `json:",omitempty"`

	CPUShares         uint64 `json:"CpuShares"`
	Memory            int64
	NanoCPUs          int64  `json:"NanoCpus"`
	CPUPeriod         uint64 `json:"CpuPeriod"`
	CPUQuota          int64  `json:"CpuQuota"`
	CpusetCpus        string
	CpusetMems        string
	MemoryReservation int64
	MemorySwap        int64
	PidsLimit         int64
	Ulimits           []InspectUlimit
	MaskedPaths       []string
	ReadonlyPaths     []string
}

// InspectRestart is a restart policy.
type InspectRestart struct {
	Name              string
	MaximumRetryCount int
}

// InspectUlimit is a limit of each process.
type InspectUlimit struct {
	Name string
	Hard int64
	Soft int64
}

// InspectPort is a port of the host.
type InspectPort struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

// InspectGraphDriver is where the container's root comes from.
type InspectGraphDriver struct {
	Data map[string]string
	Name string
}

// InspectMount is one mount of the user's or the image's.
type InspectMount struct {
	Type        string
	Name        string `json:",omitempty"`
	Source      string
	Destination string
	Driver      string `json:",omitempty"`
	Mode        string
	RW          bool
	Propagation string
}

// InspectConfig is what the program gets to see.
type InspectConfig struct {
	Hostname     string
	Domainname   string
	User         string
	AttachStdin  bool
	AttachStdout bool
	AttachStderr bool
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Tty          bool
	OpenStdin    bool
	StdinOnce    bool
	Env          []string
	Cmd          []string
	Image        string
	Volumes      map[string]struct{}
	WorkingDir   string
	Entrypoint   []string
	Labels       map[string]string
	StopSignal   string `json:",omitempty"`
	StopTimeout  *int   `json:",omitempty"`
}

// InspectNetwork is where the container is reached.
type InspectNetwork struct {
	Ports       map[string][]InspectPort
	Gateway     string
	IPAddress   string
	IPPrefixLen int
	MacAddress  string
	Networks    map[string]InspectEndpoint
}

// InspectEndpoint is the container's plug into one network.
type InspectEndpoint struct {
	Gateway     string
	IPAddress   string
	IPPrefixLen int
	MacAddress  string
}

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
		LogPath: e.logPath(c), Name: "/" + c.Name, Driver: "overlay2", Platform: "linux",
		HostConfig: c.hostConfig(), Config: c.config(), NetworkSettings: e.inspectNetwork(c), Mounts: e.inspectMounts(c),
		GraphDriver: InspectGraphDriver{Name: "overlay2", Data: map[string]string{
			"LowerDir": strings.Join(c.Layers, ":"), "UpperDir": filepath.Join(dir, upperDir),
			"WorkDir": filepath.Join(dir, workDir), "MergedDir": filepath.Join(dir, rootDir),
		}},
	}
	if len(c.Args) > 0 {
		i.Path, i.Args = c.Args[0], c.Args[1:]
	}
	return i, nil
}

func inspectState(s record.State) InspectState {
	return InspectState{
		Status: string(s.Status), Running: s.Live(), Paused: s.Status == record.Paused, Dead: s.Status == record.Dead,
		OOMKilled: s.OOMKilled, Pid: s.Pid, ExitCode: s.ExitCode, Error: s.Error, StartedAt: s.StartedAt, FinishedAt: s.FinishedAt,
	}
}

func (c *Container) hostConfig() InspectHostConfig {
	cfg := &c.Config
	h := InspectHostConfig{
		NetworkMode: cfg.Mode, PortBindings: bindings(cfg.Ports), AutoRemove: cfg.AutoRemove, VolumesFrom: cfg.VolumesFrom,
		RestartPolicy: InspectRestart{cfg.Restart.Name, cfg.Restart.Retries}, CapAdd: cfg.CapAdd, CapDrop: cfg.CapDrop,
		DNS: cfg.DNS, DNSOptions: cfg.DNSOptions, DNSSearch: cfg.DNSSearch, ExtraHosts: cfg.ExtraHosts, GroupAdd: cfg.GroupAdd,
		IpcMode: cfg.Namespaces.IPC, PidMode: cfg.Namespaces.PID, UTSMode: cfg.Namespaces.UTS, OomScoreAdj: cfg.OOMScoreAdj,
		Privileged: cfg.Privileged, PublishAllPorts: cfg.PublishAll, ReadonlyRootfs: cfg.ReadOnly, SecurityOpt: securityOptions(cfg),
		ShmSize: cfg.ShmSize, Sysctls: cfg.Sysctls, CPUShares: cfg.CPUShares, Memory: cfg.Memory, NanoCPUs: cfg.NanoCPUs,
		CPUPeriod: cfg.CPUPeriod, CPUQuota: cfg.CPUQuota, CpusetCpus: cfg.CpusetCpus, CpusetMems: cfg.CpusetMems,
		MemoryReservation: cfg.MemoryReservation, MemorySwap: cfg.MemorySwap, PidsLimit: cfg.PidsLimit,
	}
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
	for _, m := range cfg.Mounts {
		if m.Type != config.Tmpfs {
			h.Binds = append(h.Binds, m.Source+":"+m.Target+mode(m, ":"))
		}
	}
	for _, u := range cfg.Ulimits {
		h.Ulimits = append(h.Ulimits, InspectUlimit{u.Name, u.Hard, u.Soft})
	}
	return h
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

func mode(m config.Mount, prefix string) string {
	if m.ReadOnly {
		return prefix + "ro"
	}
	return ""
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

func (e *Engine) inspectMounts(c *Container) []InspectMount {
	list := []InspectMount{}
	for _, m := range c.Mounts {
		i := InspectMount{Type: string(m.Type), Source: m.Source, Destination: m.Target, RW: !m.ReadOnly, Mode: mode(m, ""), Propagation: m.Propagation}
		switch m.Type {
		case config.Volume:
			i.Name, i.Driver = m.Source, "local"
			if v, err := e.Volumes.Get(m.Source); err == nil {
				i.Source = v.Data
			}
		case config.Bind:
			if i.Propagation == "" {
				i.Propagation = "rprivate"
			}
		}
		list = append(list, i)
	}
	return list
}

func (c *Container) config() InspectConfig {
	cfg, img := &c.Config, &c.Image.Config
	i := InspectConfig{
		Hostname: cfg.Hostname, Domainname: cfg.Domainname, User: cfg.User, Tty: cfg.TTY, OpenStdin: cfg.OpenStdin,
		StdinOnce: cfg.OpenStdin, Env: bundle.Environment(img.Env, cfg.Env), Cmd: cfg.Command, Image: c.Image.Name,
		Volumes: img.Volumes, WorkingDir: cfg.WorkingDir, Entrypoint: img.Entrypoint, Labels: map[string]string{},
		StopSignal: cfg.StopSignal, ExposedPorts: map[string]struct{}{},
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
	ep := e.endpoint(c)
	if ep == nil {
		return n
	}
	for port, list := range bindings(ep.Ports) {
		n.Ports[port] = list
	}
	n.Gateway, n.IPAddress, n.IPPrefixLen, n.MacAddress = ep.Gateway.String(), ep.IP.String(), ep.Subnet.Bits(), ep.MAC.String()
	n.Networks[ep.Name] = InspectEndpoint{n.Gateway, n.IPAddress, n.IPPrefixLen, n.MacAddress}
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

// logPath is where a container's output is kept.
func (e *Engine) logPath(c *Container) string {
	if c.Config.Log.Driver == "none" {
		return ""
	}
	return filepath.Join(e.Dirs.Container(c.ID), fmt.Sprintf("%s-json.log", c.ID))
}
