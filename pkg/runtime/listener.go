package runtime

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/kernel"
	"minictr/pkg/members"
	"minictr/pkg/seccomp"
	"minictr/pkg/step"
)

// loadFilter adds what puts the filter on the process, and has an agent listen
// if the profile says so.
func (b *builder) loadFilter(f seccomp.Filter) {
	b.add(seccomp.Load(f))
	if !f.Listens() {
		return
	}
	agent, err := b.agent()
	if err != nil {
		b.fail(err)
		return
	}
	b.add(seccomp.HandOver(agent), seccomp.Entrust())
}

// agentWaits reports whether there is a socket at the profile's listenerPath. An
// agent that is there hears of the container also if no rule of the profile
// leaves a call to it, as crun has it; without an agent such a path says nothing,
// as runc has it.
func (b *builder) agentWaits() bool {
	profile, err := b.listener()
	if err != nil || !strings.HasPrefix(profile.ListenerPath, "/") {
		return false
	}
	info, err := os.Stat(profile.ListenerPath)
	return err == nil && info.Mode().Type() == os.ModeSocket
}

// agent is who listens, and what it is sent: the container process state of the
// specification (config-linux.md, "The Container Process State"). The pids are
// known only when the process is.
func (b *builder) agent() (seccomp.Agent, error) {
	profile, err := b.listener()
	if err != nil {
		return seccomp.Agent{}, err
	}
	var first any = step.PID
	status := specs.StateCreating
	if b.target != 0 {
		first, status = b.target, specs.StateRunning
	}
	metadata, err := json.Marshal(profile.ListenerMetadata)
	if err != nil {
		return seccomp.Agent{}, err
	}
	state, err := json.Marshal(b.c.State(status, 0)) // a pid of 0 is left out
	if err != nil {
		return seccomp.Agent{}, err
	}
	return seccomp.Agent{Socket: profile.ListenerPath, State: kernel.Path{
		fmt.Sprintf(`{"ociVersion":%q,"fds":[%q],"metadata":%s,"pid":`, specs.Version, specs.SeccompFdName, metadata), step.PID,
		`,"state":{"pid":`, first, "," + strings.TrimPrefix(string(state), "{") + "}",
	}}, nil
}

// listener is the part of the seccomp profile that is about an agent.
func (b *builder) listener() (specs.LinuxSeccomp, error) {
	if p := b.spec.Linux.Seccomp; p != nil {
		return *p, nil
	}
	var p specs.LinuxSeccomp
	if err := members.Read(b.c.seccomp, members.Table{"listenerPath": &p.ListenerPath, "listenerMetadata": &p.ListenerMetadata}); err != nil {
		return p, fmt.Errorf("read the seccomp profile: %w", err)
	}
	return p, nil
}
