package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"

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
// configuration: the driver if it has none, and the options that it does not set
// itself: of that driver, and of the copy, which is the same whichever the driver.
func logDefaults(l *config.Log) error {
	s, err := readSettings()
	if err != nil {
		return err
	}
	l.Driver = cmp.Or(l.Driver, s.LogDriver)
	options := maps.Clone(s.LogOptions)
	if l.Driver != s.LogDriver {
		maps.DeleteFunc(options, func(key, _ string) bool {
			return l.Driver == "none" || !strings.HasPrefix(key, config.CachePrefix)
		})
	}
	if len(options) > 0 {
		maps.Copy(options, l.Options)
		l.Options = options
	}
	return l.Check()
}
