package runtime

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/lsm"
)

// refuse names what a configuration asks for and nothing here does: better no
// container than one that quietly lacks what was asked for.
func refuse(s *specs.Spec) error {
	var what string
	switch l := s.Linux; {
	case l == nil:
	case l.IntelRdt != nil:
		what = "linux.intelRdt"
	case l.MountLabel != "" && lsm.Detect().SELinux: // else there is nothing to label
		what = "linux.mountLabel"
	}
	for _, m := range s.Mounts {
		if slices.Contains(m.Options, "tmpcopyup") && m.Type != "tmpfs" {
			what = "mount option tmpcopyup (" + m.Destination + ")"
		}
	}
	if what != "" {
		return fmt.Errorf("%s is not supported", what)
	}
	return nil
}
