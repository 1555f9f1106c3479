package engine

import (
	"cmp"

	"minictr/pkg/engine/config"
	"minictr/pkg/image"
	"minictr/pkg/record"
	"minictr/pkg/shim"
)

// health is how the container's health is checked: by the flags, and where
// they say nothing by the image.
func health(c *config.Config, img *image.Image) *config.Health {
	var base *config.Health
	if img.Health != nil {
		h := config.Health(*img.Health)
		base = &h
	}
	return c.Health.Over(base)
}

// healthCheck is the same as the shim wants it, nil if there is nothing to do:
// with docker's values for what nobody has chosen.
func (c *Container) healthCheck() *shim.HealthCheck {
	h := c.Health
	if h == nil || len(h.Test) < 2 {
		return nil
	}
	check := &shim.HealthCheck{StartPeriod: h.StartPeriod}
	switch h.Test[0] {
	case "CMD":
		check.Args = h.Test[1:]
	case "CMD-SHELL":
		check.Args = []string{"/bin/sh", "-c", h.Test[1]}
	default:
		return nil
	}
	check.Retries = cmp.Or(h.Retries, shim.DefaultRetries)
	check.Interval = cmp.Or(h.Interval, shim.DefaultInterval)
	check.Timeout = cmp.Or(h.Timeout, shim.DefaultTimeout)
	check.StartInterval = cmp.Or(h.StartInterval, shim.DefaultStartInterval)
	return check
}

// HealthStatus is starting, healthy or unhealthy, or none if nobody looks.
func (c *Container) HealthStatus() string {
	if c.State.Health == nil {
		return "none"
	}
	return c.State.Health.Status
}

// inspectHealth is the state's part about health, as docker has it.
func inspectHealth(h *record.Health) *InspectHealth {
	if h == nil {
		return nil
	}
	i := &InspectHealth{Status: h.Status, FailingStreak: h.FailingStreak, Log: []record.Probe{}}
	i.Log = append(i.Log, h.Log...)
	return i
}
