package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"minictr/pkg/engine/config"
)

// settings are what the machine's administrator chose for all containers, in
// docker's words (daemon.json).
type settings struct {
	LogDriver  string            `json:"log-driver"`
	LogOptions map[string]string `json:"log-opts"`
}

// settingsFile is where they are, unless MINICTR_CONFIG names another place.
const settingsFile = "/etc/minictr/config.json"

// readSettings reads them. No file means no wishes; a key that means nothing
// here is an error, for it was surely meant to do something. A driver there is
// always.
func readSettings() (settings, error) {
	path := os.Getenv("MINICTR_CONFIG")
	if path == "" {
		path = settingsFile
	}
	s := settings{LogDriver: defaultLogDriver}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the configuration: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("configuration %s: %w", path, err)
	}
	s.LogDriver = cmp.Or(s.LogDriver, defaultLogDriver)
	return s, nil
}

const defaultLogDriver = "json-file"

// DefaultLogDriver is the driver of containers that choose none.
func DefaultLogDriver() (string, error) {
	s, err := readSettings()
	return s.LogDriver, err
}

// logDefaults completes a container's choice of logging driver from the
// configuration: the driver if it has none, and the options of that driver that
// it does not set itself.
func logDefaults(l *config.Log) error {
	s, err := readSettings()
	if err != nil {
		return err
	}
	l.Driver = cmp.Or(l.Driver, s.LogDriver)
	if l.Driver == s.LogDriver && len(s.LogOptions) > 0 {
		merged := make(map[string]string)
		for _, options := range []map[string]string{s.LogOptions, l.Options} {
			for key, value := range options {
				merged[key] = value
			}
		}
		l.Options = merged
	}
	return l.Check()
}
