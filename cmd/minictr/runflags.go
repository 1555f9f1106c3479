package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
	"minictr/pkg/image"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/network"
	"minictr/pkg/seccomp/profile"
)

// containerFlags are the flags that run and create share: all that describes
// the container.
type containerFlags struct {
	config.Config
	attach   []string
	detached bool // run -d: connected to nothing, whatever attach says
	platform ocispec.Platform
	pull     engine.PullPolicy
	quiet    bool
	cidFile  string

	entrypoint string
	env        []string
	envFiles   []string
	labels     []string
	labelFiles []string
	stopAfter  int
	health     healthFlags
}

func (c *containerFlags) add(fs *pflag.FlagSet) {
	fs.SetInterspersed(false) // what follows the image is the container's
	fs.SortFlags = true
	fs.Bool("help", false, "print this help") // without -h, which is the hostname
	c.addProcess(fs)
	c.addResources(fs)
	c.addSecurity(fs)
	c.addNetwork(fs)
	c.addStorage(fs)
	c.addIdentity(fs)
	c.addLife(fs)
	c.addRefused(fs)
}

func (c *containerFlags) addProcess(fs *pflag.FlagSet) {
	fs.StringVar(&c.entrypoint, "entrypoint", "", "run this instead of the image's `program`; its command is dropped too")
	list(fs, &c.env, "env,e", "NAME=VALUE", "set a variable: NAME=VALUE, or NAME to take it from here", parseEnv)
	fs.StringArrayVar(&c.envFiles, "env-file", nil, "read variables from a `file`, one a line")
	fs.StringVarP(&c.WorkingDir, "workdir", "w", "", "the program's working `directory`, made if it is missing")
	fs.StringVarP(&c.User, "user", "u", "", "run as `NAME|UID[:GROUP|GID]`")
	fs.StringArrayVar(&c.GroupAdd, "group-add", nil, "also be in this `group`")
	fs.BoolVarP(&c.TTY, "tty", "t", false, "give the container a terminal")
	fs.BoolVarP(&c.OpenStdin, "interactive", "i", false, "keep its standard input open")
	list(fs, &c.attach, "attach,a", "stream", "connect only this stream: stdin, stdout or stderr", parseStream)
	fs.StringVar(&c.StopSignal, "stop-signal", "", "the `signal` that asks it to end (image's, else SIGTERM)")
	fs.IntVar(&c.stopAfter, "stop-timeout", 0, "`seconds` until a container that was asked to end is killed")
	list(fs, &c.Ulimits, "ulimit", "NAME=SOFT[:HARD]", "limit of each process, such as nofile=1024", config.ParseUlimit)
}

func (c *containerFlags) addResources(fs *pflag.FlagSet) {
	flag(fs, &c.Memory, "memory,m", "bytes", "memory limit, such as 256m", config.ParseSize)
	flag(fs, &c.MemorySwap, "memory-swap", "bytes", "limit of memory and swap together; -1: any amount of swap", config.ParseMemorySwap)
	flag(fs, &c.MemoryReservation, "memory-reservation", "bytes", "memory left to it when the machine runs short", config.ParseSize)
	flag(fs, &c.NanoCPUs, "cpus", "number", "how many CPUs it may use, such as 1.5", config.ParseCPUs)
	fs.Uint64VarP(&c.CPUShares, "cpu-shares", "c", 0, "`weight` against other containers when CPUs are short (1024 is usual)")
	fs.Uint64Var(&c.CPUPeriod, "cpu-period", 0, "length of a scheduling period in `microseconds`")
	fs.Int64Var(&c.CPUQuota, "cpu-quota", 0, "`microseconds` of CPU time in each period")
	fs.StringVar(&c.CpusetCpus, "cpuset-cpus", "", "run on these `CPUs` only, such as 0-1,3")
	fs.StringVar(&c.CpusetMems, "cpuset-mems", "", "use memory of these NUMA `nodes` only")
	fs.Uint64Var(&c.CPURtPeriod, "cpu-rt-period", 0, "length of a period of real-time work in `microseconds`")
	fs.Int64Var(&c.CPURtRuntime, "cpu-rt-runtime", 0, "`microseconds` of real-time work in each such period")
	fs.Int64Var(&c.PidsLimit, "pids-limit", 0, "how many `processes` it may have; -1: any number")
	fs.IntVar(&c.OOMScoreAdj, "oom-score-adj", 0, "how readily the kernel kills it when memory runs out (-1000 to 1000)")
	fs.BoolVar(&c.OOMKillDisable, "oom-kill-disable", false, "at its memory limit it waits instead of being killed (cgroup v1)")
	flag(fs, &c.MemorySwappiness, "memory-swappiness", "percent", "how readily its memory is swapped out, 0 to 100 (cgroup v1)", parseSwappiness)
	fs.StringVar(&c.CgroupParent, "cgroup-parent", "", "make its cgroup below this `cgroup`")
	fs.Uint16Var(&c.BlkioWeight, "blkio-weight", 0, "`weight` against others when disks are busy, 10 to 1000")
	list(fs, &c.BlkioWeightDevice, "blkio-weight-device", "DEVICE:WEIGHT", "the same for one disk", config.ParseDeviceWeight)
	list(fs, &c.DeviceReadBps, "device-read-bps", "DEVICE:BYTES", "read no more than so many bytes a second, such as /dev/sda:1mb", config.ParseDeviceBps)
	list(fs, &c.DeviceWriteBps, "device-write-bps", "DEVICE:BYTES", "write no more than so many bytes a second", config.ParseDeviceBps)
	list(fs, &c.DeviceReadIOPS, "device-read-iops", "DEVICE:NUMBER", "read no more often than that a second", config.ParseDeviceIOPS)
	list(fs, &c.DeviceWriteIOPS, "device-write-iops", "DEVICE:NUMBER", "write no more often than that a second", config.ParseDeviceIOPS)
}

func (c *containerFlags) addSecurity(fs *pflag.FlagSet) {
	fs.BoolVar(&c.Privileged, "privileged", false, "all capabilities and devices, nothing masked, no seccomp filter")
	fs.BoolVar(&c.ReadOnly, "read-only", false, "its root file system cannot be written to")
	fs.StringArrayVar(&c.CapAdd, "cap-add", nil, "give it a `capability`, or ALL")
	fs.StringArrayVar(&c.CapDrop, "cap-drop", nil, "take a `capability` away, or ALL")
	add(fs, "security-opt", "option", "no-new-privileges, seccomp=unconfined, seccomp=FILE, systempaths=unconfined", c.securityOption)
	list(fs, &c.Devices, "device", "HOST[:PATH][:rwm]", "give it a device of the host", config.ParseDevice)
	list(fs, &c.DeviceRules, "device-cgroup-rule", "rule", "let it use device nodes by number, such as 'c 13:* rwm'", config.ParseDeviceRule)
	flag(fs, &c.Namespaces.User, "userns", "mode", "auto[:size=N]: users of its own, who are nobody on the host; host: the host's users", config.ParseUserNS).DefValue = "host"
	for _, ns := range []struct {
		name, usage string
		dst         *string
	}{
		{"pid", "host, or container:NAME: see those processes", &c.Namespaces.PID},
		{"ipc", "private, shareable, none (no /dev/shm), host, or container:NAME", &c.Namespaces.IPC},
		{"uts", "host: share the host's name", &c.Namespaces.UTS},
		{"cgroupns", "private, or host: see the host's cgroup paths", &c.Namespaces.Cgroup},
	} {
		fs.StringVar(ns.dst, ns.name, "", ns.usage)
		fs.Lookup(ns.name).Value = &renamed{fs.Lookup(ns.name).Value, "mode"}
	}
}

// renamed is a flag's value with another word for it in the help text.
type renamed struct {
	pflag.Value
	kind string
}

func (r *renamed) Type() string { return r.kind }

func (c *containerFlags) securityOption(s string) error {
	return c.SecurityOption(s, func(path string) ([]byte, error) {
		text, err := os.ReadFile(path)
		if err == nil {
			_, err = profile.Load(text, nil) // what is no profile is refused now
		}
		return text, err
	})
}

func (c *containerFlags) addNetwork(fs *pflag.FlagSet) {
	for _, name := range []string{"network", "net"} {
		add(fs, name, "network", "bridge, none, host, or container:NAME to share another one's network", c.network).Hidden = name == "net"
	}
	add(fs, "publish,p", "[IP:][HOST:]PORT[/udp]", "lead a port of the host to one of the container", func(s string) error {
		ports, err := network.ParsePort(s)
		c.Ports = append(c.Ports, ports...)
		return err
	})
	fs.BoolVarP(&c.PublishAll, "publish-all", "P", false, "publish all ports that the image exposes, on free ports of the host")
	add(fs, "expose", "port", "a port for --publish-all", func(s string) error {
		if strings.Contains(s, ":") {
			return fmt.Errorf("invalid port %q: it is the container's only, and not the host's (that is --publish)", s)
		}
		_, err := network.ParsePort(s)
		c.Expose = append(c.Expose, s)
		return err
	})
	fs.StringVarP(&c.Hostname, "hostname", "h", "", "the container's host `name` (its ID)")
	fs.StringVar(&c.Domainname, "domainname", "", "its NIS domain `name`")
	list(fs, &c.ExtraHosts, "add-host", "NAME:IP", "a line for its /etc/hosts", config.ParseExtraHost)
	fs.StringArrayVar(&c.DNS, "dns", nil, "ask this DNS `server`")
	list(fs, &c.DNSSearch, "dns-search", "domain", "look for names in this domain", config.ParseDomain)
	// Both names add to one list: two array flags of pflag's would each begin it anew.
	for _, name := range []string{"dns-option", "dns-opt"} {
		list(fs, &c.DNSOptions, name, "option", "an option for its resolv.conf", verbatim).Hidden = name == "dns-opt"
	}
	flag(fs, &c.MACAddress, "mac-address", "address", "the address of its network interface", config.ParseMAC)
}

// network is one --network. Docker connects a container to several networks of
// one's own.
func (c *containerFlags) network(s string) error {
	if c.Mode != "" {
		return fmt.Errorf("after --network %s: a container has one network", c.Mode)
	}
	c.Mode = s
	return nil
}

func (c *containerFlags) addStorage(fs *pflag.FlagSet) {
	mount := func(parse func(string) (config.Mount, error)) func(string) error {
		return func(s string) error {
			m, err := parse(s)
			if err == nil {
				m, err = m.Absolute(filepath.Abs)
			}
			if err != nil {
				return err
			}
			c.Mounts = append(slices.DeleteFunc(c.Mounts, m.Replaces), m)
			return nil
		}
	}
	add(fs, "volume,v", "[SOURCE:]TARGET[:ro]", "a volume, or a directory of the host, at TARGET", mount(config.ParseVolume))
	add(fs, "mount", "key=value,...", "the same in words: type=bind|volume|tmpfs,source=…,target=…,readonly", mount(config.ParseMount))
	add(fs, "tmpfs", "TARGET[:OPTIONS]", "an empty file system in memory at TARGET", mount(config.ParseTmpfs))
	list(fs, &c.Secrets, "secret", "NAME[,key=value...]", "a secret at /run/secrets/NAME; target=…,uid=…,gid=…,mode=…", config.ParseSecret)
	add(fs, "volumes-from", "container[:ro]", "the volumes of another container", func(s string) error {
		_, _, err := config.ParseVolumesFrom(s)
		c.VolumesFrom = append(c.VolumesFrom, s)
		return err
	})
	flag(fs, &c.ShmSize, "shm-size", "bytes", "size of /dev/shm (64m)", config.ParseSize)
	add(fs, "sysctl", "KEY=VALUE", "a kernel setting of its own namespaces", func(s string) error {
		if c.Sysctls == nil {
			c.Sysctls = make(map[string]string)
		}
		return config.ParseSysctl(c.Sysctls, s)
	})
}

func (c *containerFlags) addIdentity(fs *pflag.FlagSet) {
	flag(fs, &c.Name, "name", "name", "what the container is called (a random name)", func(s string) (string, error) {
		return strings.TrimPrefix(s, "/"), nil // inspect prints names with a slash
	})
	list(fs, &c.labels, "label,l", "KEY=VALUE", "remember KEY=VALUE with it", checkLabel)
	fs.StringArrayVar(&c.labelFiles, "label-file", nil, "read labels from a `file`, one a line")
	fs.StringVar(&c.cidFile, "cidfile", "", "write its ID to a `file`")
	add(fs, "annotation", "KEY=VALUE", "remember it in the OCI configuration, for other tools", func(s string) error {
		if c.Annotations == nil {
			c.Annotations = make(map[string]string)
		}
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return errors.New("want KEY=VALUE")
		}
		c.Annotations[key] = value
		return nil
	})
	fs.StringVar(&c.Runtime, "runtime", "", "make it with another OCI runtime: runc, crun, or a `program`")
	fs.BoolVar(&c.AutoRemove, "rm", false, "remove it when it has ended")
	flag(fs, &c.pull, "pull", "when", "ask the registry for the image: missing, always or never", engine.ParsePullPolicy).DefValue = "missing"
	flag(fs, &c.platform, "platform", "OS/ARCH", "an image for this platform", image.ParsePlatform)
	fs.BoolVarP(&c.quiet, "quiet", "q", false, "do not show the progress of a pull")
	fs.StringVar(&c.Log.Driver, "log-driver", "", "where its output is kept: json-file, local, journald, syslog or none (the machine's `driver`)")
	add(fs, "log-opt", "KEY=VALUE", "an option of that driver, such as max-size=10m", func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return errors.New("want KEY=VALUE")
		}
		if c.Log.Options == nil {
			c.Log.Options = make(map[string]string)
		}
		c.Log.Options[key] = value
		return nil
	})
}

// finish puts together what several flags say, once all are read.
func (c *containerFlags) finish(fs *pflag.FlagSet, args []string) error {
	c.Image, c.Command = args[0], args[1:]
	if fs.Changed("entrypoint") {
		c.Entrypoint = &[]string{}
		if c.entrypoint != "" {
			c.Entrypoint = &[]string{c.entrypoint}
		}
	}
	if fs.Changed("stop-timeout") {
		timeout := time.Duration(c.stopAfter) * time.Second
		c.StopTimeout = &timeout
	}
	if fs.Changed("platform") {
		c.Config.Platform = image.FormatPlatform(c.platform)
	}
	c.Attach = c.attached()
	c.StdinOnce = c.OpenStdin && slices.Contains(c.Attach, "stdin")
	env, err := environment(c.envFiles, c.env)
	if err != nil {
		return &usageError{err}
	}
	c.Env = env
	if err := c.readLabels(); err != nil {
		return err
	}
	if err := c.healthCheck(); err != nil {
		return err
	}
	return c.Validate()
}

// attaches reports whether the container is connected to this stream of its
// user's: to all of them when none is named.
func (c *containerFlags) attaches(stream string) bool {
	return len(c.attach) == 0 || slices.Contains(c.attach, stream)
}

// attached are the streams that the container is connected to.
func (c *containerFlags) attached() (streams []string) {
	for _, stream := range []string{"stdin", "stdout", "stderr"} {
		if !c.detached && c.attaches(stream) && (stream != "stdin" || c.OpenStdin) {
			streams = append(streams, stream)
		}
	}
	return streams
}

// checkLabel refuses a label that has no key.
func checkLabel(s string) (string, error) { return s, config.ParseLabel(make(map[string]string), s) }

// parseStream reads --attach.
func parseStream(s string) (string, error) {
	if s = strings.ToLower(s); !slices.Contains([]string{"stdin", "stdout", "stderr"}, s) {
		return "", fmt.Errorf("%q is no stream: want stdin, stdout or stderr", s)
	}
	return s, nil
}

func (c *containerFlags) readLabels() error {
	labels := c.labels
	for _, path := range c.labelFiles {
		text, err := os.ReadFile(path)
		if err != nil {
			return &usageError{fmt.Errorf("read --label-file: %w", err)}
		}
		var lines []string
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
				continue
			}
			if key, _, _ := strings.Cut(line, "="); strings.ContainsAny(key, " \t") {
				return &usageError{fmt.Errorf("--label-file %s: invalid label %q: white space in its key", path, line)}
			}
			lines = append(lines, line)
		}
		labels = append(lines, labels...)
	}
	if len(labels) == 0 {
		return nil
	}
	c.Labels = make(map[string]string)
	for _, s := range labels {
		if err := config.ParseLabel(c.Labels, s); err != nil {
			return err
		}
	}
	return nil
}
