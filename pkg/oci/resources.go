package oci

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/cgroup"
	"minictr/pkg/systemd"
)

// Pause freezes all processes of the container.
func (c *Container) Pause() error {
	if s := c.Status(); s != specs.StateRunning && s != specs.StateCreated {
		return ErrNotRunning
	}
	g, err := c.group()
	if err != nil {
		return err
	}
	return g.Freeze()
}

// Resume lets them go on.
func (c *Container) Resume() error {
	if c.Status() != StatePaused {
		return ErrNotPaused
	}
	g, err := c.group()
	if err != nil {
		return err
	}
	return g.Thaw()
}

// Processes lists the container's processes by their pids here.
func (c *Container) Processes() ([]int, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return g.Procs()
}

// Update changes the container's limits.
func (c *Container) Update(r *specs.LinuxResources) error {
	if c.Status() == specs.StateStopped {
		return ErrNotRunning
	}
	g, err := c.group()
	if err != nil {
		return err
	}
	next, err := g.Update(r)
	if err != nil || c.Plan.Scope == nil {
		return err
	}
	limits, err := systemd.Properties(next.Settings(), g.Hierarchy.Mode() == cgroup.V2)
	if err != nil {
		return err
	}
	return c.Plan.Scope.Set(limits)
}

// Stats is what the container uses.
func (c *Container) Stats() (cgroup.Stats, error) {
	if c.Status() == specs.StateStopped {
		return cgroup.Stats{}, ErrNotRunning
	}
	g, err := c.group()
	if err != nil {
		return cgroup.Stats{}, err
	}
	return g.Stats()
}

// OOMKills counts the processes that the kernel killed for lack of memory.
func (c *Container) OOMKills() uint64 {
	g, err := c.group()
	if err != nil {
		return 0
	}
	s, err := g.Stats()
	if err != nil {
		return 0
	}
	return s.Memory.OOMKills
}
