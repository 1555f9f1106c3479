package main

import (
	"fmt"
	goruntime "runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// versionInfo has docker's names for what a template may ask for. Client and
// server are one program here; scripts that ask for the server's version get
// that of the engine.
type versionInfo struct {
	Client versionOf
	Server versionOf

	versionOf `json:"-"` // {{.Version}} alone will do
}

type versionOf struct {
	Version, GoVersion, Os, Arch string
	KernelVersion                string `json:",omitempty"`
}

func newVersion(a *app) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version [OPTIONS]",
		Short: "Show the versions of minictr and of the kernel",
		Example: `  minictr version
  minictr version --format '{{.Server.Version}}'`,
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			c := versionOf{version, goruntime.Version(), goruntime.GOOS, goruntime.GOARCH, ""}
			s := c
			s.KernelVersion = kernelVersion()
			if format != "" {
				return formatted(a.out, format, nil, []versionInfo{{Client: c, Server: s, versionOf: s}})
			}
			fmt.Fprintf(a.out, "Client: minictr\n Version:    %s\n Go version: %s\n OS/Arch:    %s/%s\n\n", c.Version, c.GoVersion, c.Os, c.Arch)
			fmt.Fprintf(a.out, "Server: minictr, in the same program: there is no daemon\n Version:    %s\n Kernel:     %s\n", s.Version, s.KernelVersion)
			return nil
		},
	}
	cmd.Flags().StringVarP(&format, "format", "f", "", "json, or a Go `template` such as '{{.Server.Version}}'")
	return cmd
}

func kernelVersion() string { return utsname(func(u *unix.Utsname) []byte { return u.Release[:] }) }

// utsname is a field of uname(2).
func utsname(field func(*unix.Utsname) []byte) string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(field(&u))
}
