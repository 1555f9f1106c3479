package engine

import (
	"minictr/pkg/cgroup"
	"minictr/pkg/runtime"
)

// group is the cgroup of a container that runs.
func (e *Engine) group(c *Container) (cgroup.Group, error) {
	hierarchy, err := cgroup.Detect()
	if err != nil {
		return cgroup.Group{}, err
	}
	config, err := runtime.Load(e.Dirs.Container(c.ID))
	if err != nil {
		return cgroup.Group{}, err
	}
	config.ID, config.Supervised = c.ID, true
	return hierarchy.Group(config.CgroupsPath(), config.Spec.Linux.Resources)
}
