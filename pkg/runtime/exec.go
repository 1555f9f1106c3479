package runtime

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/namespace"
	"minictr/pkg/process"
	"minictr/pkg/step"
)

// ExecPlan lists the steps that start one more process, p, in container c,
// whose first process is pid. The new process is a child of the caller.
func ExecPlan(c *Config, pid int, p *specs.Process, io IO) (step.Plan, error) {
	b := &builder{c: c, spec: c.Spec, io: io}
	if err := b.check(); err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fmt.Errorf("no process to start")
	}
	b.add(namespace.Reach(pid, b.ns))
	b.add(namespace.Clone(namespace.Set{}, 0, ""))
	b.add(process.Session())
	b.add(namespace.Enter(pid, b.ns))
	if !io.Terminal {
		b.add(process.Stdio())
	}
	b.add(process.Enter(p.Cwd, false))
	b.program(p)
	if b.err != nil {
		return nil, b.err
	}
	return b.plan, b.plan.Check()
}
