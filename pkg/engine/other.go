package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/rootfs"
	"minictr/pkg/runtime"
	"minictr/pkg/terminal"
)

// OwnRuntime is the name by which --runtime means that we make the container
// ourselves.
const OwnRuntime = "minictr"

// OtherRuntimes are those that are widely installed, by their programs' names.
var OtherRuntimes = []string{"runc", "crun", "youki", "minictr-oci"}

// findRuntime is the absolute path of an OCI runtime, empty for our own.
func findRuntime(name string) (string, error) {
	if name == "" || name == OwnRuntime {
		return "", nil
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("--runtime %s: no such OCI runtime here: want %s (our own), runc, crun, or the path of one: %w", name, OwnRuntime, err)
	}
	return path, nil
}

// delegate makes a configuration one for another runtime, which knows nothing
// of our networks and may be of an older version of the specification.
func (e *Engine) delegate(c *runtime.Config, path string) error {
	userns := func(ns specs.LinuxNamespace) bool { return ns.Type == specs.UserNamespace }
	switch name := filepath.Base(path); {
	case len(c.Subpaths) > 0:
		return fmt.Errorf("--runtime %s: a part of a volume (volume-subpath) is mounted by our own runtime only", name)
	case slices.ContainsFunc(c.Spec.Linux.Namespaces, userns):
		return fmt.Errorf("--runtime %s: the layers of a user namespace (--userns auto) are mounted by our own runtime only", name)
	}
	c.Other = &runtime.Other{Path: path, Root: filepath.Join(e.Dirs.RunDir(c.ID), "runtime")}
	c.Spec.Version = portableVersion(c.Spec)
	if len(c.Secrets) > 0 {
		c.Spec.Mounts = append(c.Spec.Mounts, rootfs.SecretBinds(c.Secrets, c.LentSecrets())...)
	}
	if c.Network == nil {
		return nil
	}
	// The runtime is born into the namespace that we have made and connected.
	for i := range c.Spec.Linux.Namespaces {
		if ns := &c.Spec.Linux.Namespaces[i]; ns.Type == specs.NetworkNamespace {
			ns.Path = "/proc/self/ns/net"
		}
	}
	ours, rest := make(map[string]string), make(map[string]string)
	for key, value := range c.Spec.Linux.Sysctl {
		if strings.HasPrefix(key, "net.") || strings.HasPrefix(key, "net/") {
			ours[key] = value
		} else {
			rest[key] = value
		}
	}
	c.Other.Sysctls, c.Spec.Linux.Sysctl = ours, rest
	return nil
}

// execOther has another runtime start one more process: its exec stays in the
// foreground, as our child, and ends as the process ends.
func execOther(config *runtime.Config, p *specs.Process, o ExecOptions) (*Execution, error) {
	description, err := processFile(p)
	if err != nil {
		return nil, err
	}
	defer description.Close()
	attr := &os.ProcAttr{Dir: config.Bundle, Sys: &syscall.SysProcAttr{}}
	x := &Execution{}
	if o.TTY {
		master, slave, err := terminal.Pair(o.Size)
		if err != nil {
			return nil, err
		}
		defer slave.Close()
		x.Console = master
		attr.Files = []*os.File{slave, slave, slave, description}
		attr.Sys.Setsid, attr.Sys.Setctty = true, true // a new size of the terminal is a signal to its session
	} else {
		fd, err := runtime.OpenNull()
		if err != nil {
			return nil, err
		}
		null := os.NewFile(uintptr(fd), os.DevNull)
		defer null.Close()
		for _, f := range []*os.File{o.Stdin, o.Stdout, o.Stderr} {
			if f == nil {
				f = null
			}
			attr.Files = append(attr.Files, f)
		}
		attr.Files = append(attr.Files, description)
	}
	argv := []string{config.Other.Path, "--root", config.Other.Root, "exec", "--process", "/proc/self/fd/3", config.ID}
	started, err := os.StartProcess(config.Other.Path, argv, attr)
	if err != nil {
		if x.Console != nil {
			x.Console.Close()
		}
		return nil, fmt.Errorf("run %s exec: %w", filepath.Base(config.Other.Path), err)
	}
	x.PID = started.Pid
	return x, nil
}

// processFile is a file without a name that describes the process: nothing that
// would have to be removed.
func processFile(p *specs.Process) (*os.File, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("process.json", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("describe the process: %w", err)
	}
	f := os.NewFile(uintptr(fd), "process.json")
	if _, err := f.Write(text); err != nil {
		f.Close()
		return nil, fmt.Errorf("describe the process: %w", err)
	}
	return f, nil
}
