package config

import (
	"time"

	"minictr/pkg/network"
)

// Config is what a container is asked to be. Its zero value, with an Image, is
// what `minictr run IMAGE` means; an empty field means docker's default.
type Config struct {
	Name     string            `json:"name,omitempty"`
	Image    string            `json:"image"` // as the user wrote it
	Platform string            `json:"platform,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`

	Process
	Resources
	Security
	Network

	Mounts      []Mount           `json:"mounts,omitempty"`
	VolumesFrom []string          `json:"volumesFrom,omitempty"`
	Secrets     []Secret          `json:"secrets,omitempty"`
	ShmSize     int64             `json:"shmSize,omitempty"` // bytes; 0: 64 MiB
	Sysctls     map[string]string `json:"sysctls,omitempty"`
	Devices     []Device          `json:"devices,omitempty"`
	DeviceRules []DeviceRule      `json:"deviceRules,omitempty"`
	Namespaces  Namespaces        `json:"namespaces,omitzero"`
	Annotations map[string]string `json:"annotations,omitempty"` // for whoever reads the OCI configuration

	Runtime    string  `json:"runtime,omitempty"` // the OCI runtime that makes it; "": ours
	AutoRemove bool    `json:"autoRemove,omitempty"`
	Restart    Restart `json:"restart,omitzero"`
	Init       bool    `json:"init,omitempty"`   // a reaper of ours is its first process
	Health     *Health `json:"health,omitempty"` // nil: the image's
	Log        Log     `json:"log,omitzero"`
}

// Process is what runs, and as whom.
type Process struct {
	// Entrypoint replaces the image's when it is not nil; an empty one means
	// none at all. Replacing it also drops the image's command.
	Entrypoint *[]string `json:"entrypoint,omitempty"`
	Command    []string  `json:"command,omitempty"`
	Env        []string  `json:"env,omitempty"` // K=V; a K alone takes K away
	WorkingDir string    `json:"workingDir,omitempty"`
	User       string    `json:"user,omitempty"` // name or uid, optionally :group or :gid
	GroupAdd   []string  `json:"groupAdd,omitempty"`
	Hostname   string    `json:"hostname,omitempty"`
	Domainname string    `json:"domainname,omitempty"`

	TTY       bool `json:"tty,omitempty"`
	OpenStdin bool `json:"openStdin,omitempty"`
	StdinOnce bool `json:"stdinOnce,omitempty"` // its input ends when the client that has it goes away

	Attach []string `json:"attach,omitempty"` // the streams that whoever made it was to be connected to; inspect tells them

	StopSignal  string         `json:"stopSignal,omitempty"`
	StopTimeout *time.Duration `json:"stopTimeout,omitempty"`
}

// Resources are limits. Zero means none.
type Resources struct {
	Memory            int64    `json:"memory,omitempty"`            // bytes
	MemorySwap        int64    `json:"memorySwap,omitempty"`        // memory and swap together, bytes; -1: unlimited swap
	MemoryReservation int64    `json:"memoryReservation,omitempty"` // bytes
	MemorySwappiness  *uint64  `json:"memorySwappiness,omitempty"`  // 0 to 100
	OOMKillDisable    bool     `json:"oomKillDisable,omitempty"`
	NanoCPUs          int64    `json:"nanoCPUs,omitempty"`     // 1e9 is one CPU
	CPUShares         uint64   `json:"cpuShares,omitempty"`    // relative weight, 1024 is usual
	CPUPeriod         uint64   `json:"cpuPeriod,omitempty"`    // microseconds
	CPUQuota          int64    `json:"cpuQuota,omitempty"`     // microseconds in each period
	CPURtPeriod       uint64   `json:"cpuRtPeriod,omitempty"`  // microseconds
	CPURtRuntime      int64    `json:"cpuRtRuntime,omitempty"` // microseconds of real-time work in each period
	CpusetCpus        string   `json:"cpusetCpus,omitempty"`
	CpusetMems        string   `json:"cpusetMems,omitempty"`
	PidsLimit         int64    `json:"pidsLimit,omitempty"` // -1: explicitly none
	OOMScoreAdj       int      `json:"oomScoreAdj,omitempty"`
	Ulimits           []Ulimit `json:"ulimits,omitempty"`
	CgroupParent      string   `json:"cgroupParent,omitempty"`

	BlkioWeight       uint16       `json:"blkioWeight,omitempty"` // 10 to 1000
	BlkioWeightDevice []DeviceRate `json:"blkioWeightDevice,omitempty"`
	DeviceReadBps     []DeviceRate `json:"deviceReadBps,omitempty"` // bytes a second
	DeviceWriteBps    []DeviceRate `json:"deviceWriteBps,omitempty"`
	DeviceReadIOPS    []DeviceRate `json:"deviceReadIOPS,omitempty"` // operations a second
	DeviceWriteIOPS   []DeviceRate `json:"deviceWriteIOPS,omitempty"`
}

// Ulimit is one --ulimit; -1 is unlimited.
type Ulimit struct {
	Name string `json:"name"` // as setrlimit(2) calls it, without RLIMIT_, lower case
	Soft int64  `json:"soft"`
	Hard int64  `json:"hard"`
}

// Security is what the container may do to the machine.
type Security struct {
	Privileged      bool     `json:"privileged,omitempty"`
	ReadOnly        bool     `json:"readOnly,omitempty"` // its root file system
	CapAdd          []string `json:"capAdd,omitempty"`   // with or without CAP_, or ALL
	CapDrop         []string `json:"capDrop,omitempty"`
	NoNewPrivileges bool     `json:"noNewPrivileges,omitempty"`
	Seccomp         string   `json:"seccomp,omitempty"` // "", "unconfined", or a profile in JSON
	AppArmor        string   `json:"apparmor,omitempty"`
	SELinuxLabel    []string `json:"selinuxLabel,omitempty"`
	Unmasked        bool     `json:"unmasked,omitempty"` // systempaths=unconfined
}

// Network is how the container is connected.
type Network struct {
	Mode       string   `json:"network,omitempty"` // "", bridge, none, host, container:ID, or a network's name
	PublishAll bool     `json:"publishAll,omitempty"`
	Expose     []string `json:"expose,omitempty"` // 80/tcp, 90-99/udp
	DNS        []string `json:"dns,omitempty"`
	DNSSearch  []string `json:"dnsSearch,omitempty"`
	DNSOptions []string `json:"dnsOptions,omitempty"`
	ExtraHosts []string `json:"extraHosts,omitempty"` // name:address
	MACAddress string   `json:"macAddress,omitempty"`

	Ports []network.PortMapping `json:"ports,omitempty"`
}

// Namespaces says which kernel namespaces are not the container's own: "" is
// private, "host" the host's. PID and IPC may be another container's,
// "container:NAME". An IPC namespace that others may join is "shareable"; with
// "none" there is no /dev/shm in it.
type Namespaces struct {
	PID    string `json:"pid,omitempty"`
	IPC    string `json:"ipc,omitempty"`
	UTS    string `json:"uts,omitempty"`
	Cgroup string `json:"cgroup,omitempty"`
	User   string `json:"user,omitempty"` // or auto[:size=N], private; "" is the host's
}

// Restart is a restart policy. Name "" and "no" mean never.
type Restart struct {
	Name    string `json:"name,omitempty"`
	Retries int    `json:"retries,omitempty"`
}

// Log is where the container's output is kept.
type Log struct {
	Driver  string            `json:"driver,omitempty"`
	Options map[string]string `json:"options,omitempty"`
}
