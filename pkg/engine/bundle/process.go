package bundle

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/engine/config"
	"minictr/pkg/image/ocispec"
)

// ErrNoCommand: neither the user nor the image says what to run.
var ErrNoCommand = errors.New("no command: the image has none, so one must be given after its name")

// Arguments joins entrypoint and command by docker's rule: an entrypoint of
// the user's own drops the image's command along with the image's entrypoint.
func Arguments(c *config.Config, image ocispec.ImageConfig) ([]string, error) {
	entrypoint, command := image.Entrypoint, image.Cmd
	if c.Entrypoint != nil {
		entrypoint, command = *c.Entrypoint, nil
	}
	if len(c.Command) > 0 {
		command = c.Command
	}
	args := slices.Concat(entrypoint, command)
	if len(args) == 0 || args[0] == "" {
		return nil, ErrNoCommand
	}
	return args, nil
}

// DefaultPath is PATH in a container whose image sets none.
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is what the program finds: the engine's variables, the image's,
// the user's, each overriding those before it.
func environment(in Input) []string {
	c := in.Config
	env := []string{"PATH=" + DefaultPath}
	if in.Hostname != "" {
		env = append(env, "HOSTNAME="+in.Hostname)
	}
	if c.TTY {
		env = append(env, "TERM=xterm")
	}
	env = Environment(Environment(env, in.Image.Env), c.Env)
	return WithHome(env, in.Identity.Home)
}

// Environment lays over one environment another: K=V replaces or appends, a K
// alone takes K away.
func Environment(base, over []string) []string {
	env := slices.Clone(base)
	for _, v := range over {
		name, _, hasValue := strings.Cut(v, "=")
		i := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		switch {
		case i >= 0 && hasValue:
			env[i] = v
		case i >= 0:
			env = slices.Delete(env, i, i+1)
		case hasValue:
			env = append(env, v)
		}
	}
	return env
}

// WithHome adds HOME where it is not set.
func WithHome(env []string, home string) []string {
	if slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, "HOME=") }) {
		return env
	}
	return append(env, "HOME="+home)
}

// rlimits translates --ulimit.
func rlimits(ulimits []config.Ulimit) ([]specs.POSIXRlimit, error) {
	byName := make(map[string]specs.POSIXRlimit)
	for _, u := range ulimits {
		byName[u.Name] = specs.POSIXRlimit{Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: uint64(u.Soft), Hard: uint64(u.Hard)}
		if u.Soft < -1 || u.Hard < -1 {
			return nil, fmt.Errorf("ulimit %s: limits cannot be negative", u.Name)
		}
	}
	var list []specs.POSIXRlimit
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, byName[name])
	}
	return list, nil
}
