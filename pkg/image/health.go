package image

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"minictr/pkg/image/ocispec"
)

// Health is the health check that an image asks for. The specification of
// images has no words for it; docker's builder writes it into the config
// besides, and so do others.
type Health struct {
	Test          []string      `json:",omitempty"` // ["NONE"], ["CMD", …] or ["CMD-SHELL", line]
	Interval      time.Duration `json:",omitempty"` // what is zero is the engine's choice
	Timeout       time.Duration `json:",omitempty"`
	StartPeriod   time.Duration `json:",omitempty"`
	StartInterval time.Duration `json:",omitempty"`
	Retries       int           `json:",omitempty"`
}

// Extras are what docker writes into a config besides the specification's.
type Extras struct {
	Health  *Health  `json:"Healthcheck,omitempty"`
	OnBuild []string `json:",omitempty"`
}

// parseExtras finds them in an image's config; few have any.
func parseExtras(rawConfig []byte) (Extras, error) {
	if !bytes.Contains(rawConfig, []byte(`"Healthcheck"`)) && !bytes.Contains(rawConfig, []byte(`"OnBuild"`)) {
		return Extras{}, nil
	}
	var c struct {
		Config Extras `json:"config"`
	}
	if err := json.Unmarshal(rawConfig, &c); err != nil {
		return Extras{}, fmt.Errorf("read the image's health check: %w", err)
	}
	return c.Config, nil
}

// marshalConfig is an image's config with what docker writes into it besides.
func marshalConfig(i ocispec.Image, extras Extras) ([]byte, error) {
	if extras.Health == nil && len(extras.OnBuild) == 0 {
		return json.Marshal(i)
	}
	type config struct {
		ocispec.ImageConfig
		Extras
	}
	return json.Marshal(struct {
		ocispec.Image
		Config config `json:"config,omitzero"` // hides that of Image
	}{i, config{i.Config, extras}})
}

// healthcheck reads NONE, or [OPTIONS] CMD and a command in either form.
func (c *Settings) healthcheck(args string) error {
	if strings.ToUpper(args) == "NONE" {
		c.Health = &Health{Test: []string{"NONE"}}
		return nil
	}
	h := &Health{}
	for strings.HasPrefix(args, "--") {
		option, rest, _ := strings.Cut(args, " ")
		if err := h.option(option); err != nil {
			return err
		}
		args = strings.TrimSpace(rest)
	}
	verb, line, _ := strings.Cut(args, " ")
	line = strings.TrimSpace(line)
	if strings.ToUpper(verb) != "CMD" || line == "" {
		return errors.New("want NONE, or CMD and a command")
	}
	h.Test = []string{"CMD-SHELL", line}
	if exec, ok := jsonList(line); ok {
		h.Test = append([]string{"CMD"}, exec...)
	}
	c.Health = h
	return nil
}

func (h *Health) option(s string) (err error) {
	name, value, _ := strings.Cut(strings.TrimPrefix(s, "--"), "=")
	durations := map[string]*time.Duration{
		"interval": &h.Interval, "timeout": &h.Timeout, "start-period": &h.StartPeriod, "start-interval": &h.StartInterval,
	}
	switch d := durations[name]; {
	case d != nil:
		if *d, err = time.ParseDuration(value); err == nil && *d < time.Millisecond {
			err = errors.New("it must be 1ms at least")
		}
	case name == "retries":
		if h.Retries, err = strconv.Atoi(value); err == nil && h.Retries < 1 {
			err = errors.New("it must be 1 at least")
		}
	default:
		err = errors.New("there is no such option")
	}
	if err != nil {
		return fmt.Errorf("--%s: %w", name, err)
	}
	return nil
}
