package main

import (
	"errors"

	"github.com/spf13/pflag"

	"minictr/pkg/engine/config"
)

// healthFlags are docker's flags about a container's health.
type healthFlags struct {
	command string
	none    bool
	check   config.Health
}

// addLife adds the flags about how a container lives: what restarts it, what
// reaps its processes, and how it is found out whether it works.
func (c *containerFlags) addLife(fs *pflag.FlagSet) {
	flag(fs, &c.Restart, "restart", "policy", "start it again when it has ended: no, on-failure[:N], always, unless-stopped", config.ParseRestart)
	fs.BoolVar(&c.Init, "init", false, "run a small program as its first process that passes on signals and reaps what ends")
	h := &c.health
	fs.StringVar(&h.command, "health-cmd", "", "a shell `command` that finds out whether it works")
	fs.DurationVar(&h.check.Interval, "health-interval", 0, "the `time` between two checks, such as 10s (image's, else 30s)")
	fs.DurationVar(&h.check.Timeout, "health-timeout", 0, "the `time` after which a check has failed (image's, else 30s)")
	fs.IntVar(&h.check.Retries, "health-retries", 0, "failures in a row that make it unhealthy (image's, else 3)")
	fs.DurationVar(&h.check.StartPeriod, "health-start-period", 0, "the `time` it may take to start: failures do not count yet")
	fs.DurationVar(&h.check.StartInterval, "health-start-interval", 0, "the `time` between two checks while it starts (image's, else 5s)")
	fs.BoolVar(&h.none, "no-healthcheck", false, "do not check it, whatever its image says")
}

// healthCheck puts together what the flags say about health.
func (c *containerFlags) healthCheck() error {
	h := c.health
	said := h.command != "" || h.check.Interval != 0 || h.check.Timeout != 0 || h.check.Retries != 0 ||
		h.check.StartPeriod != 0 || h.check.StartInterval != 0
	switch {
	case h.none && said:
		return &usageError{errors.New("--no-healthcheck conflicts with --health-* options")}
	case h.none:
		c.Health = &config.Health{Test: []string{"NONE"}}
	case said:
		if h.command != "" {
			h.check.Test = []string{"CMD-SHELL", h.command}
		}
		c.Health = &h.check
	}
	return nil
}
