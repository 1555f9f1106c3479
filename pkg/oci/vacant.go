package oci

import (
	"errors"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
)

// runPlan runs the container's plan, once more if its cgroup was there already
// and nobody is in it.
func (c *Container) runPlan(journal *step.Journal, o Options) (*step.Process, error) {
	p, err := runPlan(c.plan, journal, o.Observe, nil)
	if !cgroupExists(err) {
		return p, err
	}
	g, e := c.group()
	if e == nil {
		e = g.Vacant()
	}
	if e != nil {
		return nil, e
	}
	c.Vacant, c.Plan.CgroupFound = true, true
	if c.plan, err = runtime.Plan(c.Plan, consoleIO(c.Spec.Process, o.KeepConsole && o.ConsoleSocket == "")); err != nil {
		return nil, err
	}
	if err := c.save(); err != nil {
		return nil, err
	}
	return runPlan(c.plan, journal, o.Observe, nil)
}

func cgroupExists(err error) bool {
	var broken *step.Error
	var call *kernel.CallError
	return errors.As(err, &broken) && broken.Step.Name == "cgroup.create" && errors.As(err, &call) && call.Call.Name == "mkdirat" && call.Errno == unix.EEXIST
}
