package oci

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/capability"
)

// check refuses what no container can be made of, before anything is made. The
// parts of the plan check their own; here is what none of them sees.
func check(s *specs.Spec, o *Options) error {
	switch {
	case s.Version == "":
		return errors.New("ociVersion is missing in config.json")
	case !strings.HasPrefix(s.Version, "1."):
		return fmt.Errorf("ociVersion %q: this runtime knows version 1", s.Version)
	case s.Root == nil || s.Root.Path == "":
		return errors.New("root.path is missing in config.json")
	case s.Process == nil:
		return errors.New("process is missing in config.json")
	}
	if err := checkProcess(s.Process); err != nil {
		return err
	}
	switch {
	case s.Process.Terminal && o.ConsoleSocket == "" && !o.KeepConsole:
		return errors.New("cannot allocate tty if runc will detach without setting console socket")
	case !s.Process.Terminal && o.ConsoleSocket != "":
		return errors.New("cannot use console socket if runc will not detach or allocate tty")
	}
	return nil
}

func checkProcess(p *specs.Process) error {
	switch {
	case len(p.Args) == 0 || p.Args[0] == "":
		return errors.New("process.args must not be empty")
	case p.Cwd == "":
		return errors.New("process.cwd must not be empty")
	case !filepath.IsAbs(p.Cwd):
		return fmt.Errorf("process.cwd must be an absolute path: %q", p.Cwd)
	}
	if p.Capabilities == nil {
		return nil
	}
	for _, list := range [][]string{
		p.Capabilities.Bounding, p.Capabilities.Effective, p.Capabilities.Inheritable, p.Capabilities.Permitted, p.Capabilities.Ambient,
	} {
		for _, name := range list {
			if _, err := capability.Resolve([]string{name}, []string{"ALL"}, true, 0); err != nil {
				return fmt.Errorf("process.capabilities: unknown capability %q", name)
			}
		}
	}
	return nil
}

// warnAmbient tells of ambient capabilities that no process can have: the kernel
// wants them permitted and inheritable (capabilities(7)). The plan leaves them
// out.
func warnAmbient(p *specs.Process) {
	c := p.Capabilities
	if c == nil {
		return
	}
	for _, name := range c.Ambient {
		switch {
		case !slices.Contains(c.Permitted, name):
			warn(fmt.Errorf("can't raise ambient capability %s: it is not permitted", name))
		case !slices.Contains(c.Inheritable, name):
			warn(fmt.Errorf("can't raise ambient capability %s: it is not inheritable", name))
		}
	}
}
