package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	goruntime "runtime"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
)

// infoRow has docker's names for what a template may ask for.
type infoRow struct {
	ID                string
	Containers        int
	ContainersRunning int
	ContainersPaused  int
	ContainersStopped int
	Images            int
	Driver            string
	DriverStatus      [][2]string
	Plugins           infoPlugins
	LoggingDriver     string
	CgroupDriver      string
	CgroupVersion     string
	KernelVersion     string
	OperatingSystem   string
	OSType            string
	Architecture      string
	NCPU              int
	MemTotal          int64
	Name              string
	RootDir           string `json:"DockerRootDir"`
	RunDir            string
	ServerVersion     string
	Swarm             infoSwarm
	SecurityOptions   []string
	DefaultRuntime    string
	Runtimes          map[string]infoRuntime
	InitBinary        string
}

type infoPlugins struct{ Volume, Network, Log []string }

// infoRuntime is an OCI runtime that --runtime may name.
type infoRuntime struct {
	Path string `json:"path"`
}

type infoSwarm struct{ LocalNodeState string }

func newInfo(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "info [OPTIONS]",
		Short: "Show what there is on this machine",
		Example: `  minictr info
  minictr system info --format '{{.CgroupVersion}}'`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			i, err := info(e)
			if err != nil {
				return err
			}
			if format != "" {
				return formatted(a.out, format, nil, []infoRow{i})
			}
			a.printInfo(i)
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "json, or a Go `template` such as '{{.Images}}'")
	return cmd
}

func info(e *engine.Engine) (infoRow, error) {
	i := infoRow{
		Driver: "overlay2", DriverStatus: [][2]string{{"Backing Filesystem", fsName(e.Dirs.Root)}},
		CgroupDriver: "cgroupfs", CgroupVersion: e.CgroupVersion(), KernelVersion: kernelVersion(), OperatingSystem: operatingSystem(),
		OSType: goruntime.GOOS, Architecture: utsname(func(u *unix.Utsname) []byte { return u.Machine[:] }), NCPU: goruntime.NumCPU(),
		RootDir: e.Dirs.Root, RunDir: e.Dirs.Run, ServerVersion: version, Swarm: infoSwarm{"inactive"},
		Plugins:         infoPlugins{[]string{"local"}, []string{"bridge", "host", "null"}, config.LogDrivers()},
		SecurityOptions: []string{"name=seccomp,profile=builtin", "name=cgroupns"}, DefaultRuntime: engine.OwnRuntime,
	}
	i.Name, _ = os.Hostname()
	if engine.AppArmor() {
		i.SecurityOptions = append([]string{"name=apparmor"}, i.SecurityOptions...)
	}
	i.Runtimes = map[string]infoRuntime{engine.OwnRuntime: {engine.OwnRuntime}}
	for _, name := range engine.OtherRuntimes {
		if path, err := exec.LookPath(name); err == nil {
			i.Runtimes[name] = infoRuntime{path}
		}
	}
	var err error
	if i.LoggingDriver, err = engine.DefaultLogDriver(); err != nil {
		return i, err
	}
	list, err := e.List()
	if err != nil {
		return i, err
	}
	for _, c := range list {
		i.Containers++
		switch c.State.Status {
		case "running", "restarting":
			i.ContainersRunning++
		case "paused":
			i.ContainersPaused++
		default:
			i.ContainersStopped++
		}
	}
	images, err := e.Images.List()
	i.Images = len(images)
	var s unix.Sysinfo_t
	if unix.Sysinfo(&s) == nil {
		i.MemTotal = int64(s.Totalram) * int64(s.Unit)
	}
	return i, err
}

// fsName names the file system that a directory, or the one it will be made in,
// is on.
func fsName(dir string) string {
	var st unix.Statfs_t
	for unix.Statfs(dir, &st) != nil {
		at := strings.LastIndexByte(dir, '/')
		if at <= 0 {
			return "unknown"
		}
		dir = dir[:at]
	}
	names := map[int64]string{
		unix.EXT4_SUPER_MAGIC: "extfs", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.TMPFS_MAGIC: "tmpfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", unix.F2FS_SUPER_MAGIC: "f2fs",
	}
	if name, ok := names[int64(st.Type)]; ok {
		return name
	}
	return fmt.Sprintf("0x%x", st.Type)
}

// operatingSystem is the distribution, by os-release(5).
func operatingSystem() string {
	text, _ := os.ReadFile("/etc/os-release")
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"'`)
		}
	}
	return "unknown"
}

func (a *app) printInfo(i infoRow) {
	p := func(format string, args ...any) { fmt.Fprintf(a.out, format+"\n", args...) }
	p("Client: minictr\n Version:    %s\n", i.ServerVersion)
	p("Server:\n Containers: %d\n  Running: %d\n  Paused: %d\n  Stopped: %d", i.Containers, i.ContainersRunning, i.ContainersPaused, i.ContainersStopped)
	p(" Images: %d\n Server Version: %s\n Storage Driver: %s", i.Images, i.ServerVersion, i.Driver)
	for _, s := range i.DriverStatus {
		p("  %s: %s", s[0], s[1])
	}
	p(" Logging Driver: %s\n Cgroup Driver: %s\n Cgroup Version: %s", i.LoggingDriver, i.CgroupDriver, i.CgroupVersion)
	p(" Plugins:\n  Volume: %s\n  Network: %s\n  Log: %s", strings.Join(i.Plugins.Volume, " "), strings.Join(i.Plugins.Network, " "), strings.Join(i.Plugins.Log, " "))
	p(" Swarm: %s\n Runtimes: %s\n Default Runtime: %s\n Security Options:", i.Swarm.LocalNodeState,
		strings.Join(slices.Sorted(maps.Keys(i.Runtimes)), " "), i.DefaultRuntime)
	for _, o := range i.SecurityOptions {
		name, setting, set := strings.Cut(strings.TrimPrefix(o, "name="), ",")
		if p("  %s", name); set {
			p("   Profile: %s", strings.TrimPrefix(setting, "profile="))
		}
	}
	p(" Kernel Version: %s\n Operating System: %s\n OSType: %s\n Architecture: %s", i.KernelVersion, i.OperatingSystem, i.OSType, i.Architecture)
	p(" CPUs: %d\n Total Memory: %s\n Name: %s", i.NCPU, units.BytesSize(float64(i.MemTotal)), i.Name)
	p(" Docker Root Dir: %s\n Run Dir: %s", i.RootDir, i.RunDir)
}
