package bundle

import (
	"fmt"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/capability"
	"minictr/pkg/engine/config"
	"minictr/pkg/image/ocispec"
)

// ociVersion is the version of the runtime specification that is spoken.
const ociVersion = "1.2.0"

// Input is everything a configuration is made from.
type Input struct {
	ID     string
	Config *config.Config
	Image  ocispec.ImageConfig

	Identity Identity // whom Config.User or the image's user turned out to be
	Hostname string   // what the container is called; empty: it keeps the host's

	// Mounts are Config's with every source a host path, sorted or not.
	Mounts []config.Mount
	// Files are host paths to be bound at container paths: hosts and so on.
	Files map[string]string

	NetNS   NetNS
	Joined  map[specs.LinuxNamespaceType]string // namespaces of other containers, by path
	Shm     string                              // what is at /dev/shm instead of memory of its own: a path
	IDs     *IDRange                            // of a user namespace of its own; nil: the host's
	Seccomp *specs.LinuxSeccomp                 // nil: no filter
	// Devices are the nodes that the container gets besides the standard ones,
	// DeviceRules what it may do with those and others.
	Devices     []specs.LinuxDevice
	DeviceRules []specs.LinuxDeviceCgroup
	Numbers     map[string]DeviceNumber // of the disks that Config limits, by path
	// Available are the capabilities that this process could pass on.
	Available capability.Set
	// AppArmor is the profile that the program runs under; "": none.
	AppArmor string
	// CgroupsPath is where the container's cgroups go.
	CgroupsPath string
}

// NetNS says whose network namespace the container uses.
type NetNS struct {
	Host bool
	Path string // of another container's; empty and not Host: a new one
}

// Spec makes the OCI configuration.
func Spec(in Input) (*specs.Spec, error) {
	args, err := Arguments(in.Config, in.Image)
	if err != nil {
		return nil, err
	}
	c := in.Config
	caps, err := capabilities(in)
	if err != nil {
		return nil, err
	}
	limits, err := rlimits(c.Ulimits)
	if err != nil {
		return nil, err
	}
	spec := &specs.Spec{
		Version: ociVersion,
		Root:    &specs.Root{Path: "rootfs", Readonly: c.ReadOnly},
		Process: &specs.Process{
			Terminal:        c.TTY,
			User:            in.Identity.User(),
			Args:            args,
			Env:             environment(in),
			Cwd:             workingDir(c, in.Image),
			Capabilities:    caps,
			Rlimits:         limits,
			NoNewPrivileges: c.NoNewPrivileges,
			ApparmorProfile: in.AppArmor,
		},
		Hostname:   in.Hostname,
		Domainname: c.Domainname,
		Mounts:     mounts(in),

		Annotations: c.Annotations,
		Linux: &specs.Linux{
			Namespaces:  namespaces(c.Namespaces, in.NetNS, in.Joined),
			Resources:   Resources(in),
			CgroupsPath: in.CgroupsPath,
			Devices:     in.Devices,
			Sysctl:      sysctls(in),
			Seccomp:     in.Seccomp,
			// Slave lets the container see what the host mounts below a volume
			// that was asked to propagate, and never the other way.
			RootfsPropagation: "rslave",
		},
	}
	if in.IDs != nil {
		in.IDs.apply(spec)
	}
	if c.OOMScoreAdj != 0 {
		spec.Process.OOMScoreAdj = &c.OOMScoreAdj
	}
	if !c.Privileged && !c.Unmasked {
		spec.Linux.MaskedPaths, spec.Linux.ReadonlyPaths = MaskedPaths, ReadonlyPaths
	}
	return spec, nil
}

func workingDir(c *config.Config, image ocispec.ImageConfig) string {
	for _, dir := range []string{c.WorkingDir, image.WorkingDir} {
		if dir != "" {
			return filepath.Join("/", dir)
		}
	}
	return "/"
}

func namespaces(c config.Namespaces, net NetNS, joined map[specs.LinuxNamespaceType]string) []specs.LinuxNamespace {
	list := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	for _, ns := range []struct {
		kind specs.LinuxNamespaceType
		mode string
	}{
		{specs.UTSNamespace, c.UTS}, {specs.IPCNamespace, c.IPC}, {specs.PIDNamespace, c.PID}, {specs.CgroupNamespace, c.Cgroup},
	} {
		if ns.mode != "host" {
			list = append(list, specs.LinuxNamespace{Type: ns.kind, Path: joined[ns.kind]})
		}
	}
	if !net.Host {
		list = append(list, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: net.Path})
	}
	return list
}

// sysctls are docker's two for a network of one's own (no need to be root for
// low ports and ping), and the user's.
func sysctls(in Input) map[string]string {
	set := make(map[string]string)
	if !in.NetNS.Host && in.NetNS.Path == "" {
		set["net.ipv4.ip_unprivileged_port_start"] = "0"
		set["net.ipv4.ping_group_range"] = "0 2147483647"
		if in.IDs != nil { // the kernel takes groups only that there are
			set["net.ipv4.ping_group_range"] = fmt.Sprintf("0 %d", in.IDs.Size-1)
		}
	}
	for key, value := range in.Config.Sysctls {
		set[key] = value
	}
	if len(set) == 0 {
		return nil
	}
	return set
}
