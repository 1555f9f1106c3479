package main

import (
	"fmt"
	goruntime "runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"minictr/pkg/engine"
)

// versionRow has docker's names for what a template may ask for.
type versionRow struct{ Version, GoVersion, Os, Arch, KernelVersion string }

func newVersion(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "version [OPTIONS]",
		Short:   "Show the versions of minictr and of the kernel",
		Example: `  minictr version`,
		Args:    exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			v := versionRow{version, goruntime.Version(), goruntime.GOOS, goruntime.GOARCH, kernelVersion()}
			if format != "" {
				return formatted(a.out, format, nil, []versionRow{v})
			}
			fmt.Fprintf(a.out, "minictr %s (%s, %s/%s)\nkernel  %s\n", v.Version, v.GoVersion, v.Os, v.Arch, v.KernelVersion)
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "json, or a Go `template` such as '{{.Version}}'")
	return cmd
}

func kernelVersion() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// infoRow has docker's names for what a template may ask for.
type infoRow struct {
	ID                string `json:"-"`
	Containers        int
	ContainersRunning int
	ContainersPaused  int
	ContainersStopped int
	Images            int
	Driver            string
	LoggingDriver     string
	CgroupVersion     string
	KernelVersion     string
	OSType            string
	Architecture      string
	NCPU              int
	MemTotal          int64
	RootDir           string `json:"DockerRootDir"`
	RunDir            string
	ServerVersion     string
}

func newInfo(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:     "info [OPTIONS]",
		Short:   "Show what there is on this machine",
		Example: `  minictr info`,
		Args:    exactly(0, "no arguments"),
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
		Driver: "overlay2", LoggingDriver: "json-file", CgroupVersion: e.CgroupVersion(), KernelVersion: kernelVersion(), OSType: goruntime.GOOS,
		Architecture: goruntime.GOARCH, NCPU: goruntime.NumCPU(), RootDir: e.Dirs.Root, RunDir: e.Dirs.Run, ServerVersion: version,
	}
	list, err := e.List()
	if err != nil {
		return i, err
	}
	for _, c := range list {
		i.Containers++
		switch c.State.Status {
		case "running":
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

func (a *app) printInfo(i infoRow) {
	fmt.Fprintf(a.out, "Containers: %d\n Running: %d\n Paused: %d\n Stopped: %d\n", i.Containers, i.ContainersRunning, i.ContainersPaused, i.ContainersStopped)
	fmt.Fprintf(a.out, "Images: %d\nVersion: %s\nStorage Driver: %s\nLogging Driver: %s\nCgroup Version: %s\n", i.Images, i.ServerVersion, i.Driver, i.LoggingDriver, i.CgroupVersion)
	fmt.Fprintf(a.out, "Kernel Version: %s\nOS/Arch: %s/%s\nCPUs: %d\nTotal Memory: %.4gGiB\n", i.KernelVersion, i.OSType, i.Architecture, i.NCPU, float64(i.MemTotal)/(1<<30))
	fmt.Fprintf(a.out, "Root Dir: %s\nRun Dir: %s\n", i.RootDir, i.RunDir)
}
