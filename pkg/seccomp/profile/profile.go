// Package profile makes OCI seccomp profiles out of docker's.
//
// Docker's format says more than the runtime's: a rule may hold only on some
// architectures, from some kernel version on, or for containers with some
// capability (mount is allowed to those with CAP_SYS_ADMIN, and not named for
// others). All of this is decided before the container starts; what is written
// to config.json is a plain list that package seccomp compiles.
//
// The package stands apart so that the programs that start containers need not
// carry docker's list of system calls, which they never read.
//
// Chapter: Security in Docker (seccomp).
package profile

import (
	"encoding/json"
	"fmt"
	"os"

	moby "github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The values of --security-opt seccomp= that name no file.
const (
	Unconfined = "unconfined"
	Builtin    = "builtin"
)

// Default is docker's own profile for a container with these capabilities in
// its bounding set ("CAP_SYS_ADMIN"), on this machine and kernel.
func Default(capabilities []string) (*specs.LinuxSeccomp, error) {
	p, err := moby.GetDefaultProfile(about(capabilities))
	if err != nil {
		return nil, fmt.Errorf("make docker's default seccomp profile: %w", err)
	}
	return p, nil
}

// Load reads a profile in docker's format, of which OCI's is a part, for a
// container with these capabilities. A profile that says nothing is nil.
func Load(text []byte, capabilities []string) (*specs.LinuxSeccomp, error) {
	p, err := moby.LoadProfile(string(text), about(capabilities))
	if err != nil {
		return nil, fmt.Errorf("read the seccomp profile: %w", err)
	}
	return p, nil
}

// Option is docker's --security-opt seccomp=value: unconfined (no profile, so
// nil), builtin, or the name of a file. Without the option (the empty value) a
// container gets the default profile and a privileged one none.
func Option(value string, privileged bool, capabilities []string) (*specs.LinuxSeccomp, error) {
	switch {
	case value == Unconfined, value == "" && privileged:
		return nil, nil
	case value == Builtin, value == "":
		return Default(capabilities)
	}
	text, err := os.ReadFile(value)
	if err != nil {
		return nil, fmt.Errorf("opening seccomp profile (%s) failed: %w", value, err)
	}
	if !json.Valid(text) {
		return nil, fmt.Errorf("seccomp profile %s is not JSON", value)
	}
	return Load(text, capabilities)
}

// about is all that moby's functions read of a config.json.
func about(capabilities []string) *specs.Spec {
	return &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: capabilities}}}
}
