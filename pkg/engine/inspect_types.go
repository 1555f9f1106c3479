package engine

import (
	"time"

	"minictr/pkg/engine/config"
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
	MountLabel      string
	ProcessLabel    string
	AppArmorProfile string
	ExecIDs         []string
	HostConfig      InspectHostConfig
	GraphDriver     InspectGraphDriver
	Mounts          []InspectMount
	Config          InspectConfig
	NetworkSettings InspectNetwork

	// SizeRw and SizeRootFs are there on request: bytes written, and those of
	// the whole root file system.
	SizeRw     *int64 `json:",omitempty"`
	SizeRootFs *int64 `json:",omitempty"`
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
	Health     *InspectHealth `json:",omitempty"`
}

// InspectHealth is what the health check has found.
type InspectHealth struct {
	Status        string
	FailingStreak int
	Log           []record.Probe
}

// InspectHostConfig is what the container may do and use.
type InspectHostConfig struct {
	Binds           []string
	ContainerIDFile string
	NetworkMode     string
	LogConfig       InspectLog
	PortBindings    map[string][]InspectPort
	RestartPolicy   InspectRestart
	Runtime         string // path of another OCI runtime, or our own name
	AutoRemove      bool
	Init            *bool `json:",omitempty"`
	VolumeDriver    string
	VolumesFrom     []string
	Mounts          []InspectWanted   `json:",omitempty"` // those of --mount
	Tmpfs           map[string]string `json:",omitempty"` // those of --tmpfs
	Links           []string
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
	UsernsMode      string
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
	CgroupParent      string
	CgroupnsMode      string
	Annotations       map[string]string `json:",omitempty"`
	Devices           []InspectDevice
	DeviceCgroupRules []string
	OomKillDisable    bool
	MemorySwappiness  *uint64

	CPURealtimePeriod    uint64 `json:"CpuRealtimePeriod"`
	CPURealtimeRuntime   int64  `json:"CpuRealtimeRuntime"`
	BlkioWeight          uint16
	BlkioWeightDevice    []InspectRate
	BlkioDeviceReadBps   []InspectRate
	BlkioDeviceWriteBps  []InspectRate
	BlkioDeviceReadIOps  []InspectRate
	BlkioDeviceWriteIOps []InspectRate

	MaskedPaths   []string
	ReadonlyPaths []string
}

// InspectLog is where the output goes.
type InspectLog struct {
	Type   string
	Config map[string]string
}

// InspectRestart is a restart policy.
type InspectRestart struct {
	Name              string
	MaximumRetryCount int
}

// InspectDevice is a device of the host that the container has.
type InspectDevice struct {
	PathOnHost        string
	PathInContainer   string
	CgroupPermissions string
}

// InspectRate is a limit, or a weight, of one disk.
type InspectRate struct {
	Path   string
	Rate   uint64 `json:",omitempty"`
	Weight uint64 `json:",omitempty"`
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
	OnBuild      []string
	Labels       map[string]string
	StopSignal   string         `json:",omitempty"`
	StopTimeout  *int           `json:",omitempty"`
	Healthcheck  *config.Health `json:",omitempty"`
}

// InspectNetwork is where the container is reached.
type InspectNetwork struct {
	Bridge                 string
	SandboxID              string
	SandboxKey             string // a file that is its network namespace, as nsenter takes it, while it runs
	Ports                  map[string][]InspectPort
	HairpinMode            bool
	LinkLocalIPv6Address   string
	LinkLocalIPv6PrefixLen int
	EndpointID             string
	Gateway                string
	GlobalIPv6Address      string
	GlobalIPv6PrefixLen    int
	IPAddress              string
	IPPrefixLen            int
	IPv6Gateway            string
	MacAddress             string
	Networks               map[string]InspectEndpoint // by name; the values are empty while it does not run
}

// InspectEndpoint is the container's plug into one network.
type InspectEndpoint struct {
	Links               []string
	Aliases             []string
	MacAddress          string
	DriverOpts          map[string]string
	NetworkID           string
	EndpointID          string
	Gateway             string
	IPAddress           string
	IPPrefixLen         int
	IPv6Gateway         string
	GlobalIPv6Address   string
	GlobalIPv6PrefixLen int
}
