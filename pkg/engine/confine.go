package engine

import (
	"minictr/pkg/engine/config"
	"minictr/pkg/lsm"
	"minictr/pkg/lsm/profile"
)

// apparmor is the profile that a container runs under, and, if the kernel has
// to be given it first, the program that does it. As with docker, a container
// gets the default profile where the machine can have it, unless it is
// privileged or chooses another one; unconfined is one that forbids nothing.
func apparmor(c *config.Config) (name, loader string) {
	switch {
	case c.AppArmor != "" && c.AppArmor != profile.Default:
		return c.AppArmor, ""
	case c.AppArmor == "" && c.Privileged, !lsm.Detect().AppArmor:
		return c.AppArmor, ""
	}
	loader, err := profile.Loader()
	if err != nil {
		return c.AppArmor, ""
	}
	return profile.Default, loader
}

// AppArmor tells whether containers of this machine get a profile by default.
func AppArmor() bool {
	name, _ := apparmor(&config.Config{})
	return name != ""
}
