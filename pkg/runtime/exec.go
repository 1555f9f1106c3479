package runtime

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
	"minictr/pkg/namespace"
	"minictr/pkg/process"
	"minictr/pkg/rootfs"
	"minictr/pkg/step"
	"minictr/pkg/terminal"
)

// ExecPlan lists the steps that start one more process, p, in container c,
// whose first process is pid. The new process is a child of the caller.
func ExecPlan(c *Config, pid int, p *specs.Process, io IO) (step.Plan, error) {
	b := &builder{c: c, spec: c.Spec, io: io, target: pid}
	if err := b.check(); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fmt.Errorf("no process to start")
	}
	var err error
	if b.cg, err = b.cg.Beneath(c.SubCgroups); err != nil {
		return nil, err
	}
	b.add(namespace.Reach(pid, b.ns))
	// Root of a user namespace cannot take over a terminal that the host's root
	// made, so there the child makes it.
	inherited := io.Terminal && !b.userns()
	if inherited {
		b.add(terminal.OpenIn(pid, b.terminal(p)))
	}
	b.lendExe()
	b.addIfAny(cgroup.Open(b.cg))
	b.add(namespace.Clone(namespace.Set{}, 0, b.cg.CloneSlot()))
	b.releaseCgroup()
	b.releaseExe()
	if inherited {
		b.add(terminal.Release())
	}
	b.add(process.Hide())
	b.guardExe()
	b.forgetCgroup()
	b.label(p)
	b.firstAffinity(p)
	b.addIfAny(cgroup.Enter(b.cg, false))
	b.affinity(lastAffinity(p))
	if p.OOMScoreAdj != nil {
		b.add(process.OOMScore(*p.OOMScoreAdj))
	}
	b.attributes(p) // as long as we have the host's rights
	if b.ns.Descends() {
		b.add(namespace.Descend(b.ns))
	}
	ownRoot := b.ns.Has(unix.CLONE_NEWNS)
	if !ownRoot {
		b.add(rootfs.ReachRoot(pid))
	}
	b.add(namespace.Enter(pid, b.ns))
	if !ownRoot {
		b.add(rootfs.FollowRoot())
	}
	switch {
	case inherited:
		b.add(terminal.Inherit(int(p.User.UID)))
	case io.Terminal:
		b.add(terminal.Open(b.terminal(p)), terminal.Fetch(), terminal.Attach())
	default:
		b.add(process.Session(), process.Stdio())
	}
	b.add(process.Enter(p.Cwd, false))
	b.program(p, nil)
	if b.err != nil {
		return nil, b.err
	}
	return b.plan, b.plan.Check()
}
