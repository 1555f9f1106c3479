package engine

import (
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/reaper"
)

// withReaper makes our reaper the container's first process (--init). It comes
// last of the mounts: it is there whatever the user has mounted around it.
func withReaper(spec *specs.Spec, dir string) error {
	path := filepath.Join(dir, "init")
	if err := reaper.Write(path); err != nil {
		return err
	}
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: reaper.Path, Type: "bind", Source: path, Options: []string{"bind", "rprivate", "ro"},
	})
	spec.Process.Args = reaper.Args(spec.Process.Args)
	return nil
}
