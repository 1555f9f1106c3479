package oci

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// explainFailure puts a plan's failure into runc's words, where engines and
// scripts look for them. All others stay as the plan tells them.
func (c *Container) explainFailure(err error, p *specs.Process) error {
	var broken *step.Error
	if !errors.As(err, &broken) {
		return err
	}
	var call *kernel.CallError
	errors.As(err, &call)
	switch name := broken.Step.Name; {
	case name == "process.find" || name == "process.exec":
		return c.explainProgram(err, p)
	case strings.HasPrefix(name, "hooks."):
		return c.explainHook(err, strings.TrimPrefix(name, "hooks."), broken.Err)
	case (name == "cgroup.enter" || name == "cgroup.open") && broken.Errno() == syscall.ENOENT:
		return fmt.Errorf("error adding pid of the new process to its cgroup: %w", err)
	case name == "process.scheduler" && broken.Errno() == syscall.EPERM && c.Spec.Linux.Resources != nil &&
		c.Spec.Linux.Resources.CPU != nil && c.Spec.Linux.Resources.CPU.Cpus != "":
		return fmt.Errorf("process scheduler can't be used together with AllowedCPUs (linux.resources.cpu.cpus): %w", err)
	case name == "seccomp.hand-over" && call != nil && call.Call.Name == "connect":
		return fmt.Errorf("failed to connect with seccomp agent: %w", err)
	case (name == "rootfs.proc" || name == "rootfs.sys") && (broken.Errno() == syscall.ELOOP || broken.Errno() == syscall.ENOTDIR):
		what := strings.TrimPrefix(name, "rootfs.")
		return fmt.Errorf("/%s in the container's root is no directory; %s must be mounted on ordinary directory: %w", what, what, broken.Errno())
	}
	return err
}

// explainProgram is about the failure that users make most: the program is not
// there, or is none.
func (c *Container) explainProgram(err error, p *specs.Process) error {
	if p == nil || len(p.Args) == 0 {
		return err
	}
	switch name := p.Args[0]; {
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("exec: %q: permission denied", name)
	case !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENOTDIR):
		return err
	case filepath.Base(name) == name:
		return fmt.Errorf("exec: %q: executable file not found in $PATH", name)
	case c.hasFile(name, p.Cwd):
		// What is missing is the interpreter in its first line, or its loader.
		return fmt.Errorf("exec %s: no such file or directory", name)
	default:
		return fmt.Errorf("exec: %q: stat %s: no such file or directory", name, name)
	}
}

// hasFile looks into the container's root as it is without its mounts: good
// enough for an error message.
func (c *Container) hasFile(name, cwd string) bool {
	if !path.IsAbs(name) {
		name = path.Join(cwd, name)
	}
	f, err := openIn(c.RootPath(), name, unix.O_PATH)
	if err == nil {
		f.Close()
	}
	return err == nil
}

// openIn opens a file below root as a process with that root would: no link
// leads out of it.
func openIn(root, name string, flags uint64) (*os.File, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{
		Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// hookKinds are the hooks of the plan by the names of their steps.
var hookKinds = map[string]string{"prestart": "prestart", "create-runtime": "createRuntime", "create-container": "createContainer"}

func (c *Container) explainHook(err error, name string, cause error) error {
	step, number, _ := strings.Cut(name, ":")
	i, e := strconv.Atoi(number)
	if e != nil || hookKinds[step] == "" {
		return err
	}
	path := ""
	//lint:ignore SA1019 prestart is deprecated and still in use
	for kind, hooks := range map[string][]specs.Hook{"prestart": c.Spec.Hooks.Prestart, "create-runtime": c.Spec.Hooks.CreateRuntime, "create-container": c.Spec.Hooks.CreateContainer} {
		if kind == step && i < len(hooks) {
			path = hooks[i].Path
		}
	}
	return hookError(hookKinds[step], i, path, cause)
}

// hookError has the words of runc, and those of crun.
func hookError(kind string, i int, path string, cause error) error {
	return fmt.Errorf("error running %s hook #%d: %s hook failed with %w: %s", kind, i, kind, cause, path)
}
