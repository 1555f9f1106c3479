package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Health is the health check that an image asks for. The specification of
// images has no words for it; docker's builder writes it into the config
// besides, and so do others.
type Health struct {
	Test          []string      // ["NONE"], ["CMD", …] or ["CMD-SHELL", line]
	Interval      time.Duration // what is zero is the engine's choice
	Timeout       time.Duration
	StartPeriod   time.Duration
	StartInterval time.Duration
	Retries       int
}

// parseHealth finds it in an image's config, which few have.
func parseHealth(rawConfig []byte) (*Health, error) {
	if !bytes.Contains(rawConfig, []byte(`"Healthcheck"`)) {
		return nil, nil
	}
	var c struct {
		Config struct{ Healthcheck *Health } `json:"config"`
	}
	if err := json.Unmarshal(rawConfig, &c); err != nil {
		return nil, fmt.Errorf("read the image's health check: %w", err)
	}
	return c.Config.Healthcheck, nil
}
