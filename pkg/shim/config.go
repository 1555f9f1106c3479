package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"minictr/pkg/logging"
)

// Config is shim.json in a container's directory: what the shim has to know
// besides the plan. Its zero value logs nowhere a reader would look, so Log
// wants a path.
type Config struct {
	Log        logging.Config `json:"log"`
	Stdin      bool           `json:"stdin,omitempty"`      // the container has an input; else it is /dev/null
	StdinOnce  bool           `json:"stdinOnce,omitempty"`  // it ends when its first client is gone
	AutoRemove bool           `json:"autoRemove,omitempty"` // the container is removed when it ends
	Volumes    []string       `json:"volumes,omitempty"`    // anonymous volumes that are removed with it
}

// SaveConfig writes shim.json.
func SaveConfig(dir string, c Config) error {
	b, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "shim.json"), append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("save the shim's configuration: %w", err)
	}
	return nil
}

// LoadConfig reads shim.json. Without one the container has no input and no
// log.
func LoadConfig(dir string) (Config, error) {
	b, err := os.ReadFile(filepath.Join(dir, "shim.json"))
	if errors.Is(err, os.ErrNotExist) {
		return Config{Log: logging.Config{Driver: "none"}}, nil
	}
	var c Config
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return Config{}, fmt.Errorf("load the shim's configuration: %w", err)
	}
	return c, nil
}
