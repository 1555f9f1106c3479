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
	Restart    Policy         `json:"restart,omitzero"`     // what happens after its end
	Ending     Ending         `json:"ending,omitzero"`      // how it is asked to end
	Health     *HealthCheck   `json:"health,omitempty"`     // how it is found out whether it works; nil: not at all

	// Joins are the namespaces of other containers that it shares, by kind,
	// with their owners' IDs: between two runs the owner may have had a new one.
	Joins map[string]string `json:"joins,omitempty"`

	// About are the attributes of the container's events: name, image, labels.
	About map[string]string `json:"about,omitempty"`
	Uses  []Use             `json:"uses,omitempty"` // whose events belong to each start and end
}

// SaveConfig writes shim.json.
func SaveConfig(dir string, c Config) error {
	b, err := json.Marshal(c)
	if err == nil {
		path := filepath.Join(dir, "shim.json") // which a shim may be reading just now
		if err = os.WriteFile(path+".new", append(b, '\n'), 0o600); err == nil {
			err = os.Rename(path+".new", path)
		}
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
