package runtime

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/namespace"
	"minictr/pkg/network"
	"minictr/pkg/overlay"
	"minictr/pkg/process"
	"minictr/pkg/rootfs"
	"minictr/pkg/step"
)

// Other is an OCI runtime that makes the container instead of us: runc, crun,
// or any program with runc's command line (runtime-spec, "Operations").
//
// The plan is short then. It makes a process with a mount namespace, in which
// the overlay is mounted, and, for a network of ours, with a network namespace
// that it connects; and that process becomes `RUNTIME create`. So the runtime
// finds root and network as a bundle promises them, the host sees neither, and
// both go with the container.
type Other struct {
	Path string `json:"path"` // of the program, absolute
	Root string `json:"root"` // directory where it keeps its records of this one container

	// Sysctls are settings of the network namespace. They are ours to make: a
	// runtime refuses them for a namespace that it did not make itself.
	Sysctls map[string]string `json:"sysctls,omitempty"`
}

// Files of the bundle through which the other runtime and we meet. Their names
// are relative to the bundle, which is its working directory: a socket's path
// must be short.
const (
	otherPidFile = "runtime.pid"
	otherLog     = "runtime.log"
	otherConsole = "console.sock"
)

// PidFile is where create leaves the pid of the container's first process.
func (c *Config) PidFile() string { return filepath.Join(c.Bundle, otherPidFile) }

// OtherLog is where the other runtime says what is wrong, as lines of JSON.
func (c *Config) OtherLog() string { return filepath.Join(c.Bundle, otherLog) }

// ConsoleSocket is where create connects to hand over a terminal's master.
func (c *Config) ConsoleSocket() string { return filepath.Join(c.Bundle, otherConsole) }

// LentSecrets is the directory where the other runtime finds the secrets, on a
// tmpfs that exists in its mount namespace only.
func (c *Config) LentSecrets() string { return filepath.Join(c.Bundle, "secrets") }

// OtherCommand is a command line of the other runtime.
func (c *Config) OtherCommand(args ...string) []string {
	return append([]string{c.Other.Path, "--root", c.Other.Root, "--log", c.OtherLog(), "--log-format", "json"}, args...)
}

// OtherProgram is a command of the other runtime as a program that a step, or
// somebody who supervises the container, runs and waits for.
func (c *Config) OtherProgram(args ...string) step.Program {
	const null kernel.Slot = "null"
	return step.Program{Calls: append([]kernel.Call{
		kernel.Openat(kernel.AtFDCWD, os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0).Into(null),
		kernel.Dup3(kernel.FD(null), 0, false), kernel.Dup3(kernel.FD(null), 1, false), kernel.Dup3(kernel.FD(null), 2, false),
	}, c.becomeOther(args)...)}
}

// OtherEnv is the runtime's own environment; the container's is in config.json.
var OtherEnv = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

func (c *Config) becomeOther(args []string) []kernel.Call {
	argv := c.OtherCommand(args...)
	exec := kernel.Execve(c.Other.Path, argv, OtherEnv).As(strings.Join(argv, " "))
	exec.Allow = nil // there is no other candidate
	return []kernel.Call{
		kernel.Chdir(c.Bundle),
		kernel.CloseRange(3, unix.CLOSE_RANGE_CLOEXEC),
		exec,
	}
}

// otherPlan lists the steps when another runtime makes the container.
func (b *builder) otherPlan() {
	c := b.c
	b.loadProfile()
	b.add(c.keepOther(), adoptOrphans())
	set := namespace.Set{New: unix.CLONE_NEWNS}
	if c.Network != nil {
		b.add(network.Prepare(c.Network)...)
		set.New |= unix.CLONE_NEWNET
	}
	if len(c.Secrets) > 0 {
		b.add(rootfs.OpenSecrets(c.Secrets))
	}
	b.add(namespace.Clone(set, 0, ""))
	if len(c.Secrets) > 0 {
		b.add(rootfs.CloseSecrets(c.Secrets))
	}
	if c.Network != nil {
		b.add(network.Attach(c.Network)...)
	}
	b.add(rootfs.Private(unix.MS_SLAVE))
	if c.Overlay != nil {
		b.add(overlay.Mount(*c.Overlay, b.rootPath()))
	}
	if len(c.Secrets) > 0 {
		b.add(rootfs.SecretsAt(c.Secrets, c.LentSecrets()))
	}
	if c.Network != nil {
		b.add(network.Configure(c.Network))
	}
	if len(c.Other.Sysctls) > 0 {
		b.add(process.ReachSettings(), process.Sysctl(c.Other.Sysctls))
	}
	b.add(process.Session(), process.Stdio(), c.createByOther(b.io.Terminal))
}

// keepOther makes the directory in which the runtime keeps its records. It is
// the step whose undo has the runtime delete the container, whatever state it
// is in: a container of which there is no record needs no deleting.
func (c *Config) keepOther() step.Step {
	return step.Step{
		Name: "runtime.keep", Topic: book.OCI, Side: step.Host,
		Why:   "the runtime ends after each command; what it has to know for the next one it keeps here",
		Calls: []kernel.Call{kernel.Mkdir(c.Other.Root, 0o711).Allowing(unix.EEXIST)},
		Undo: func(step.Do) error {
			if _, err := os.Lstat(filepath.Join(c.Other.Root, c.ID)); !errors.Is(err, fs.ErrNotExist) {
				if err := c.OtherProgram("delete", "--force", c.ID).Run(0); err != nil {
					return fmt.Errorf("%s delete --force: %w", filepath.Base(c.Other.Path), err)
				}
			}
			return os.RemoveAll(c.Other.Root) // nothing but records; twice is as good as once
		},
	}
}

// adoptOrphans makes this process, which supervises, the parent of a container
// that loses its own when create ends.
func adoptOrphans() step.Step {
	return step.Step{
		Name: "runtime.adopt", Topic: book.Engine, Side: step.Host,
		Why:   "the container is the runtime's child, and the runtime ends: orphans come to the nearest subreaper, so that its exit code is told to us",
		Calls: []kernel.Call{kernel.Prctl(kernel.Named{Name: "PR_SET_CHILD_SUBREAPER", Value: unix.PR_SET_CHILD_SUBREAPER}, kernel.Int(1))},
		Rule:  "an attribute of a process ends with it",
	}
}

// createByOther is the last call that we make.
func (c *Config) createByOther(terminal bool) step.Step {
	name := filepath.Base(c.Other.Path)
	args := []string{"create", "--bundle", c.Bundle, "--pid-file", otherPidFile}
	if terminal {
		args = append(args, "--console-socket", otherConsole)
	}
	return step.Step{
		Name: "runtime.create", Topic: book.OCI, Side: step.Inside,
		Why:   "from here on " + name + " makes the container, by calls of its own; minictr cannot see them (strace -f " + name + " shows them)",
		Calls: c.becomeOther(append(args, c.ID)),
		Rule:  "runtime.keep undoes it",
	}
}
