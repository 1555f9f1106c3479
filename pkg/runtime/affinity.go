package runtime

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/process"
)

// firstAffinity is what a second process has until it is in its cgroup: where
// its own making may take place (process.execCPUAffinity.initial).
func (b *builder) firstAffinity(p *specs.Process) {
	if a := p.ExecCPUAffinity; a != nil && a.Initial != "" {
		b.try(process.Affinity("affinity-initial", a.Initial))
	}
}

// affinity is what the program gets: if nothing is said, all processors that its
// cpuset allows, whatever was left to us.
func (b *builder) affinity(cpus string) {
	if cpus != "" || confined() {
		b.try(process.Affinity("affinity", cpus))
	}
}

func lastAffinity(p *specs.Process) string {
	if p.ExecCPUAffinity == nil {
		return ""
	}
	return p.ExecCPUAffinity.Final
}

// confined reports whether we may not run on all processors of the machine, be
// it by our own affinity or by a cpuset of ours.
func confined() bool {
	var own unix.CPUSet
	if unix.SchedGetaffinity(0, &own) != nil {
		return true
	}
	online, err := kernel.Load("/sys/devices/system/cpu/online")
	if err != nil {
		return true
	}
	n, err := process.Count(strings.TrimSpace(string(online)))
	return err != nil || own.Count() < n
}
