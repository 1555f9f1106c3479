package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// addRefused adds those of docker's flags that describe a container and are
// refused: by name, and where there is something to say, with the reason.
func (c *containerFlags) addRefused(fs *pflag.FlagSet) {
	for _, r := range []struct{ names, why string }{
		{"gpus", "GPUs need the vendor's hooks; single device nodes can be given with --device"},
		{"link", noLinks},
		{"ip ip6 link-local-ip", "addresses can be chosen on networks of one's own only, and here is just the bridge"},
		{"network-alias net-alias", "aliases belong to networks of one's own, and here is just the bridge"},
		{"kernel-memory", "the kernel has no such limit any more; --memory counts its memory too"},
		{"cpu-count cpu-percent io-maxbandwidth io-maxiops", "it is for containers of Windows"},
		{"storage-opt", "the writable layer has no size of its own; give room with a limit to a volume or --tmpfs TARGET:size=SIZE"},
		{"use-api-socket!", "there is no API socket: minictr has no daemon"},
	} {
		refuseBecause(fs, r.names, r.why)
	}
	add(fs, "isolation", "technology", "", accept("default", "isolation is a choice of Windows; here it is always namespaces and cgroups")).Hidden = true
	add(fs, "volume-driver", "name", "", accept("local", "there are local volumes only")).Hidden = true
	trust := add(fs, "disable-content-trust", "bool", "", accept("true", "signatures of images are not checked, so that cannot be switched on"))
	trust.Hidden, trust.NoOptDefVal = true, "true"
}

// globalFlags are docker's flags in front of the command, and why there are none
// of that kind here.
var globalFlags = []struct{ names, why string }{
	{"--host -H --context -c --tls --tlsverify --tlscacert --tlscert --tlskey", "there is no daemon to talk to: minictr works on the machine it runs on"},
	{"--config", "credentials are read from ~/.docker/config.json, or from where DOCKER_CONFIG says"},
	{"--debug -D --log-level -l", "there is no daemon's log; run --explain shows what is done"},
}

// refuseGlobal refuses the first word of a command line if it is such a flag.
func refuseGlobal(args []string) error {
	if len(args) == 0 {
		return nil
	}
	flag, _, _ := strings.Cut(args[0], "=")
	for _, g := range globalFlags {
		if slices.Contains(strings.Fields(g.names), flag) {
			return &exitError{codeEngine, fmt.Errorf("%s is not supported: %s", flag, g.why)}
		}
	}
	return nil
}

const noLinks = "docker keeps links for old times' sake only; share a network with --network container:NAME, or name an address with --add-host"

// accept accepts the one value that says what is so anyway.
func accept(value, why string) func(string) error {
	return func(s string) error {
		if s != value {
			return fmt.Errorf("%q is not supported: %s", s, why)
		}
		return nil
	}
}

// parseSwappiness reads --memory-swappiness; docker's -1 leaves it alone.
func parseSwappiness(s string) (*uint64, error) {
	if s == "-1" {
		return nil, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > 100 {
		return nil, errors.New("want a number from 0 to 100")
	}
	return &n, nil
}
