package runtime

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/process"
	"minictr/pkg/step"
)

// The hooks of a configuration are programs of whoever manages the host. Three
// kinds of six are steps of the plan: they run when the namespaces, the root and
// its mounts exist and before the pivot, with the child at a barrier. The others
// belong to the commands of the life cycle that come after the plan (package oci).

// State is what a hook reads and the state command prints (runtime-spec
// runtime.md, "State").
func (c *Config) State(status specs.ContainerState, pid int) specs.State {
	return specs.State{
		Version: specs.Version, ID: c.ID, Status: status, Pid: pid, Bundle: c.Bundle, Annotations: c.Spec.Annotations,
	}
}

// Hook is the program of a hook that runs in the runtime's own namespaces.
func (c *Config) Hook(h specs.Hook, status specs.ContainerState) step.Program {
	return c.hook(h, status, nil)
}

func (c *Config) hook(h specs.Hook, status specs.ContainerState, enter []kernel.Call) step.Program {
	argv := h.Args
	if len(argv) == 0 {
		argv = []string{h.Path}
	}
	env := h.Env
	if env == nil { // as runc and crun have it: ours, unless the configuration says one
		env = os.Environ()
	}
	calls := append([]kernel.Call{}, enter...)
	calls = append(calls,
		kernel.Chdir(c.Bundle),
		kernel.Dup3(kernel.FD(step.StdinSlot), 0, false),
		kernel.CloseRange(3, unix.CLOSE_RANGE_CLOEXEC),
		kernel.Execve(h.Path, argv, env))
	p := step.Program{Calls: calls, Stdin: func(pid int) []byte {
		b, _ := json.Marshal(c.State(status, pid)) // strings and numbers only: it cannot fail
		return b
	}}
	if h.Timeout != nil {
		p.Timeout = time.Duration(*h.Timeout) * time.Second
	}
	return p
}

// hasHooks reports hooks of create.
func (b *builder) hasHooks() bool {
	h := b.spec.Hooks
	//lint:ignore SA1019 prestart is deprecated and still in use
	return h != nil && len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer) > 0
}

// hooks adds the hooks of create, and the barrier around them.
func (b *builder) hooks() {
	h := b.spec.Hooks
	b.add(step.Step{
		Name: "hooks.meet", Topic: book.OCI, Side: step.Inside,
		Why:   "the namespaces, the root and its mounts exist and the pivot is still to come: the moment that hooks are promised",
		Calls: []kernel.Call{kernel.Tell()},
		Rule:  "it is a message",
	})
	//lint:ignore SA1019 prestart is deprecated and still in use
	b.hookSteps("prestart", h.Prestart, nil)
	b.hookSteps("create-runtime", h.CreateRuntime, nil)
	if len(h.CreateContainer) > 0 {
		b.add(b.hookTarget())
		b.hookSteps("create-container", h.CreateContainer, b.enterContainer())
	}
	b.add(step.Step{
		Name: "hooks.proceed", Topic: book.OCI, Side: step.Inside,
		Why:   "all hooks have ended well; go on",
		Calls: []kernel.Call{kernel.Await()},
		Rule:  "it is a message",
	})
}

func (b *builder) hookSteps(kind string, hooks []specs.Hook, enter []kernel.Call) {
	for i, h := range hooks {
		if !filepath.IsAbs(h.Path) {
			b.fail(fmt.Errorf("the path of a hook is not absolute: %q", h.Path))
		}
		status := specs.StateCreating
		if kind == "prestart" { // that kind is older than the word "creating"
			status = specs.StateCreated
		}
		p := b.c.hook(h, status, enter)
		b.add(step.Step{
			Name: fmt.Sprintf("hooks.%s:%d", kind, i), Topic: book.OCI, Side: step.Host,
			Why:     "a program of the host's administrator takes part in the making of the container",
			Program: &p,
			Rule:    "what a hook did, its counterpart (poststop) has to undo",
		})
	}
}

const hookTargetSlot kernel.Slot = "hook-target"

func (b *builder) hookTarget() step.Step {
	return step.Step{
		Name: "hooks.reach", Topic: book.OCI, Side: step.Host,
		Why:   "hooks of the kind createContainer run in the namespaces of the new process; a pidfd names it for sure",
		Calls: []kernel.Call{kernel.PidfdOpen(kernel.FD(step.PID)).Into(hookTargetSlot)},
		Rule:  "a descriptor ends with its process",
	}
}

// enterContainer joins all namespaces of the half-made container. A pid
// namespace is entered by a second clone.
func (b *builder) enterContainer() []kernel.Call {
	var calls []kernel.Call
	if flags := b.ns.All(); flags != 0 {
		calls = append(calls, kernel.Setns(kernel.FD(hookTargetSlot), flags))
		if flags&unix.CLONE_NEWUSER != 0 {
			calls = append(calls, kernel.Setresgid(0), kernel.Setresuid(0))
		}
		if flags&(unix.CLONE_NEWPID|unix.CLONE_NEWTIME) != 0 {
			calls = append(calls, kernel.CloneAgain(kernel.CloneArgs{Flags: unix.CLONE_PARENT}))
		}
	}
	return calls
}

// ContainerHook is the process that a hook of kind startContainer is in the
// container: the program's own rights, the hook's command.
func (c *Config) ContainerHook(h specs.Hook) *specs.Process {
	p := *c.Spec.Process
	p.Args, p.Cwd, p.Terminal = h.Args, "/", false
	if h.Env != nil {
		p.Env = h.Env
	}
	if len(p.Args) == 0 {
		p.Args = []string{h.Path}
	}
	return &p
}

func (b *builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// attributes are settings of the process that do not depend on its user.
func (b *builder) attributes(p *specs.Process) {
	if !b.c.NoNewKeyring {
		b.add(process.Keyring(b.c.ID))
	}
	if p.Scheduler != nil {
		b.try(process.Scheduler(p.Scheduler))
	}
	if p.IOPriority != nil {
		b.try(process.IOPriority(p.IOPriority))
	}
	if b.spec.Linux.MemoryPolicy != nil {
		b.try(process.MemoryPolicy(b.spec.Linux.MemoryPolicy))
	}
	if b.spec.Linux.Personality != nil {
		b.try(process.Persona(b.spec.Linux.Personality))
	}
}

// CgroupsPath is where the container's cgroup is, from the hierarchies' roots.
func (c *Config) CgroupsPath() string {
	if c.Scope != nil {
		return c.Scope.Path()
	}
	if c.Spec.Linux != nil && c.Spec.Linux.CgroupsPath != "" {
		return c.Spec.Linux.CgroupsPath
	}
	return "/minictr-" + c.ID
}
