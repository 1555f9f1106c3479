package runtime

import (
	"errors"
	"io/fs"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// runningPlan is what of plan.json still matters to a container that runs.
type runningPlan struct {
	ID           string       `json:"id"`
	RunDir       string       `json:"runDir"`
	Without      []string     `json:"without"`
	Other        lazy[*Other] `json:"other"`
	Supervised   bool         `json:"supervised"`
	NoNewKeyring bool         `json:"noNewKeyring"`
}

// runningSpec is what of config.json does.
type runningSpec struct {
	Version     string            `json:"ociVersion"`
	Process     *processFile      `json:"process"`
	Root        *specs.Root       `json:"root"`
	Domainname  string            `json:"domainname"`
	Annotations map[string]string `json:"annotations"`
	Linux       *linuxFile        `json:"linux"`
}

// LoadRunning is Load for [ExecPlan]: how the container was mounted and connected
// is over, and so is not read. See specfile.go for what that saves.
func LoadRunning(bundle string) (*Config, error) {
	c := &Config{Bundle: bundle}
	var plan runningPlan
	err := loadJSON(filepath.Join(bundle, "plan.json"), &plan)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c.ID, c.RunDir, c.Without, c.Other = plan.ID, plan.RunDir, plan.Without, plan.Other.or()
	c.Supervised, c.NoNewKeyring = plan.Supervised, plan.NoNewKeyring
	var file runningSpec
	if err := loadJSON(filepath.Join(bundle, "config.json"), &file); err != nil {
		return nil, err
	}
	c.setSpec(&specFile{
		Version: file.Version, Process: file.Process, Root: file.Root, Domainname: file.Domainname,
		Annotations: file.Annotations, Linux: file.Linux,
	})
	return c, nil
}
