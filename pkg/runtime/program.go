package runtime

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/capability"
	"minictr/pkg/lsm"
	"minictr/pkg/lsm/profile"
	"minictr/pkg/process"
	"minictr/pkg/seccomp"
)

// program: from here on rights are only given up, the last one by execve. The
// order is what packages capability and seccomp ask for. final adds what only
// the container's first process needs, when it is the program's user already.
func (b *builder) program(p *specs.Process, final func()) {
	if len(p.Rlimits) > 0 {
		b.try(process.Limits(p.Rlimits))
	}
	filter := b.filter()
	sets, own := b.capabilities(p)
	if p.Capabilities != nil {
		b.addIfAny(capability.Bound(sets.Bounding, own))
	}
	// What a profile may forbid and the program has no need of comes before it.
	b.add(process.Tidy(p, b.c.PreserveFDs))
	if final != nil && b.c.Created {
		b.add(process.MakeGate())
	}
	if !filter.Empty() && !p.NoNewPrivileges {
		b.loadFilter(filter)
	}
	if p.Capabilities != nil && p.User.UID != 0 {
		b.add(capability.KeepOnSetuid())
	}
	b.add(process.User(p.User))
	if p.Capabilities != nil {
		b.add(sets.Set())
	}
	if p.NoNewPrivileges {
		b.add(capability.NoNewPrivs())
	}
	late := !filter.Empty() && p.NoNewPrivileges
	if late && filter.Listens() {
		b.loadFilter(filter) // while the caller is there to hand the listener on
	}
	if final != nil {
		final()
	}
	if late && !filter.Listens() {
		b.loadFilter(filter)
	}
	b.try(process.Exec(p))
}

// last is what the first process does when it has become the program's user.
func (b *builder) last() {
	if b.c.Supervised {
		b.add(process.FollowShim())
	}
	if b.c.Created {
		b.add(process.Wait())
	}
}

// loadProfile gives the kernel our AppArmor profile, which it has not had since
// the machine was started.
func (b *builder) loadProfile() {
	if loader := b.c.ProfileLoader; loader != "" {
		b.add(profile.Load(loader))
	}
}

// label has the program run under a security module's profile. It comes before
// the process enters the container's root, while /proc is still the host's: no
// file of an image can pose as the one that is written to.
// Labels for a module that this kernel does not run are left out, as crun does:
// an engine writes the same configuration for all of its machines.
func (b *builder) label(p *specs.Process) {
	modules := lsm.Modules{}
	if p.ApparmorProfile != "" || p.SelinuxLabel != "" {
		modules = lsm.Detect()
	}
	if modules.AppArmor && p.ApparmorProfile != "" && p.ApparmorProfile != "unconfined" {
		b.add(lsm.AppArmor(p.ApparmorProfile))
	}
	if modules.SELinux && p.SelinuxLabel != "" {
		b.add(lsm.SELinux(p.SelinuxLabel))
	}
}

// filter is the compiled seccomp profile.
func (b *builder) filter() seccomp.Filter {
	f, err := b.c.filter()
	if err != nil && b.err == nil {
		b.err = err
	}
	if err == nil && !f.Empty() && !f.Listens() && b.agentWaits() {
		f = f.WithListener()
	}
	return f
}

// capabilities are the sets the program gets, and the bounding set that the
// process has until then: ours, or all in a user namespace of its own.
func (b *builder) capabilities(p *specs.Process) (sets capability.Sets, bounding capability.Set) {
	if p.Capabilities == nil {
		return sets, 0
	}
	own, err := capability.Own()
	if err == nil && b.ns.Has(unix.CLONE_NEWUSER) {
		var all capability.Set
		if all, err = capability.All(); err == nil {
			own = capability.Sets{Bounding: all, Permitted: all, Effective: all}
		}
	}
	if err != nil && b.err == nil {
		b.err = err
	}
	sets, _ = capability.FromSpec(p.Capabilities, own.Available())
	return sets, own.Bounding
}
