package runtime

import (
	"encoding/json"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The specification's types reach far: for each type that a decoder may meet,
// encoding/json studies all of its fields, and the fields of those, before it
// reads a byte. For specs.Spec that takes longer than everything else that
// happens in user space until a container runs. So config.json is read into
// types of the same shape that leave alone what belongs to other systems, and
// put off what most configurations do not have. A test compares the shapes.

// lazy is a part of a configuration whose type is looked at when it is there.
type lazy[T any] struct{ v *T }

// UnmarshalJSON decodes the part.
func (l *lazy[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	l.v = new(T)
	return json.Unmarshal(b, l.v)
}

// MarshalJSON keeps encoding/json from studying T; nothing is encoded here.
func (l lazy[T]) MarshalJSON() ([]byte, error) { return json.Marshal(l.v) }

// or is the part, or the zero value of its type.
func (l lazy[T]) or() (v T) {
	if l.v != nil {
		v = *l.v
	}
	return v
}

type specFile struct {
	Version     string            `json:"ociVersion"`
	Process     *processFile      `json:"process"`
	Root        *specs.Root       `json:"root"`
	Hostname    string            `json:"hostname"`
	Domainname  string            `json:"domainname"`
	Mounts      []specs.Mount     `json:"mounts"`
	Hooks       lazy[specs.Hooks] `json:"hooks"`
	Annotations map[string]string `json:"annotations"`
	Linux       *linuxFile        `json:"linux"`
}

type processFile struct {
	Terminal        bool                        `json:"terminal"`
	ConsoleSize     *specs.Box                  `json:"consoleSize"`
	User            specs.User                  `json:"user"`
	Args            []string                    `json:"args"`
	CommandLine     string                      `json:"commandLine"`
	Env             []string                    `json:"env"`
	Cwd             string                      `json:"cwd"`
	Capabilities    *specs.LinuxCapabilities    `json:"capabilities"`
	Rlimits         []specs.POSIXRlimit         `json:"rlimits"`
	NoNewPrivileges bool                        `json:"noNewPrivileges"`
	ApparmorProfile string                      `json:"apparmorProfile"`
	OOMScoreAdj     *int                        `json:"oomScoreAdj"`
	Scheduler       lazy[specs.Scheduler]       `json:"scheduler"`
	SelinuxLabel    string                      `json:"selinuxLabel"`
	IOPriority      lazy[specs.LinuxIOPriority] `json:"ioPriority"`
	ExecCPUAffinity lazy[specs.CPUAffinity]     `json:"execCPUAffinity"`
}

type linuxFile struct {
	UIDMappings       []specs.LinuxIDMapping                 `json:"uidMappings"`
	GIDMappings       []specs.LinuxIDMapping                 `json:"gidMappings"`
	Sysctl            map[string]string                      `json:"sysctl"`
	Resources         *resourcesFile                         `json:"resources"`
	CgroupsPath       string                                 `json:"cgroupsPath"`
	Namespaces        []specs.LinuxNamespace                 `json:"namespaces"`
	Devices           lazy[[]specs.LinuxDevice]              `json:"devices"`
	NetDevices        lazy[map[string]specs.LinuxNetDevice]  `json:"netDevices"`
	Seccomp           json.RawMessage                        `json:"seccomp"`
	RootfsPropagation string                                 `json:"rootfsPropagation"`
	MaskedPaths       []string                               `json:"maskedPaths"`
	ReadonlyPaths     []string                               `json:"readonlyPaths"`
	MountLabel        string                                 `json:"mountLabel"`
	IntelRdt          lazy[specs.LinuxIntelRdt]              `json:"intelRdt"`
	MemoryPolicy      lazy[specs.LinuxMemoryPolicy]          `json:"memoryPolicy"`
	Personality       lazy[specs.LinuxPersonality]           `json:"personality"`
	TimeOffsets       lazy[map[string]specs.LinuxTimeOffset] `json:"timeOffsets"`
}

type resourcesFile struct {
	Devices        []specs.LinuxDeviceCgroup        `json:"devices"`
	Memory         lazy[specs.LinuxMemory]          `json:"memory"`
	CPU            lazy[specs.LinuxCPU]             `json:"cpu"`
	Pids           lazy[specs.LinuxPids]            `json:"pids"`
	BlockIO        lazy[specs.LinuxBlockIO]         `json:"blockIO"`
	HugepageLimits lazy[[]specs.LinuxHugepageLimit] `json:"hugepageLimits"`
	Network        lazy[specs.LinuxNetwork]         `json:"network"`
	Rdma           lazy[map[string]specs.LinuxRdma] `json:"rdma"`
	Unified        map[string]string                `json:"unified"`
}

// parse reads a config.json but leaves the seccomp profile, its largest part by
// far, as the text that its compiled form is kept under.
func (c *Config) parse(text []byte) error {
	var file specFile
	if err := json.Unmarshal(text, &file); err != nil {
		return err
	}
	c.setSpec(&file)
	return nil
}

func (c *Config) setSpec(file *specFile) {
	c.Spec = &specs.Spec{
		Version: file.Version, Root: file.Root, Hostname: file.Hostname, Domainname: file.Domainname,
		Mounts: file.Mounts, Hooks: file.Hooks.v, Annotations: file.Annotations,
	}
	if file.Process != nil {
		c.Spec.Process = file.Process.spec()
	}
	if file.Linux != nil {
		c.Spec.Linux, c.seccomp = file.Linux.spec(), file.Linux.Seccomp
		if string(c.seccomp) == "null" {
			c.seccomp = nil
		}
	}
}

func (p *processFile) spec() *specs.Process {
	return &specs.Process{
		Terminal: p.Terminal, ConsoleSize: p.ConsoleSize, User: p.User, Args: p.Args, CommandLine: p.CommandLine, Env: p.Env, Cwd: p.Cwd,
		Capabilities: p.Capabilities, Rlimits: p.Rlimits, NoNewPrivileges: p.NoNewPrivileges, ApparmorProfile: p.ApparmorProfile,
		OOMScoreAdj: p.OOMScoreAdj, Scheduler: p.Scheduler.v, SelinuxLabel: p.SelinuxLabel, IOPriority: p.IOPriority.v,
		ExecCPUAffinity: p.ExecCPUAffinity.v,
	}
}

func (l *linuxFile) spec() *specs.Linux {
	s := &specs.Linux{
		UIDMappings: l.UIDMappings, GIDMappings: l.GIDMappings, Sysctl: l.Sysctl, CgroupsPath: l.CgroupsPath, Namespaces: l.Namespaces,
		Devices: l.Devices.or(), NetDevices: l.NetDevices.or(), RootfsPropagation: l.RootfsPropagation, MaskedPaths: l.MaskedPaths,
		ReadonlyPaths: l.ReadonlyPaths, MountLabel: l.MountLabel, IntelRdt: l.IntelRdt.v, MemoryPolicy: l.MemoryPolicy.v,
		Personality: l.Personality.v, TimeOffsets: l.TimeOffsets.or(),
	}
	if r := l.Resources; r != nil {
		s.Resources = &specs.LinuxResources{
			Devices: r.Devices, Memory: r.Memory.v, CPU: r.CPU.v, Pids: r.Pids.v, BlockIO: r.BlockIO.v,
			HugepageLimits: r.HugepageLimits.or(), Network: r.Network.v, Rdma: r.Rdma.or(), Unified: r.Unified,
		}
	}
	return s
}
