package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Health is how it is found out whether a container works: docker's health
// check, of an image or by --health-…. What is zero is as the image says, and
// else as docker has it.
type Health struct {
	// Test is ["NONE"], ["CMD", program, arguments…] or ["CMD-SHELL", line].
	Test          []string      `json:"Test,omitempty"`
	Interval      time.Duration `json:"Interval,omitempty"`
	Timeout       time.Duration `json:"Timeout,omitempty"`
	StartPeriod   time.Duration `json:"StartPeriod,omitempty"`
	StartInterval time.Duration `json:"StartInterval,omitempty"`
	Retries       int           `json:"Retries,omitempty"`
}

// Over is h where it says something, else base.
func (h *Health) Over(base *Health) *Health {
	switch {
	case h == nil:
		return base
	case base == nil || len(h.Test) > 0 && h.Test[0] == "NONE":
		return h
	}
	merged := *h
	if len(merged.Test) == 0 {
		merged.Test = base.Test
	}
	for _, d := range []struct{ to, from *time.Duration }{
		{&merged.Interval, &base.Interval},
		{&merged.Timeout, &base.Timeout},
		{&merged.StartPeriod, &base.StartPeriod},
		{&merged.StartInterval, &base.StartInterval},
	} {
		if *d.to == 0 {
			*d.to = *d.from
		}
	}
	if merged.Retries == 0 {
		merged.Retries = base.Retries
	}
	return &merged
}

// validateHealth checks what the flags say.
func (c *Config) validateHealth() error {
	h := c.Health
	if h == nil {
		return nil
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{
		{"--health-interval", h.Interval},
		{"--health-timeout", h.Timeout},
		{"--health-start-period", h.StartPeriod},
		{"--health-start-interval", h.StartInterval},
	} {
		if d.value < 0 || d.value > 0 && d.value < time.Millisecond {
			return fmt.Errorf("%s cannot be less than 1ms", d.flag)
		}
	}
	if h.Retries < 0 {
		return errors.New("--health-retries cannot be negative")
	}
	return nil
}

// ParseRestart reads --restart: no, always, unless-stopped, on-failure[:N].
func ParseRestart(s string) (Restart, error) {
	name, number, counted := strings.Cut(s, ":")
	r := Restart{Name: name}
	switch name {
	case "no", "always", "unless-stopped":
		if counted {
			return r, fmt.Errorf("%q: only on-failure has a number of retries", s)
		}
		return r, nil
	case "on-failure":
		if !counted {
			return r, nil
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 0 {
			return r, fmt.Errorf("%q: the number of retries must be a number, such as on-failure:3", s)
		}
		r.Retries = n
		return r, nil
	case "":
		return Restart{Name: "no"}, nil
	}
	return r, fmt.Errorf("invalid restart policy %q: want no, on-failure[:N], always or unless-stopped", s)
}
