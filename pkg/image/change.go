package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"minictr/pkg/image/ocispec"
)

// Settings are an image's configuration as Change changes it: the
// specification's, and two things besides that docker writes into it.
type Settings struct {
	ocispec.ImageConfig
	Extras

	newCmd bool // by an instruction: it goes with a new entrypoint
}

// Change applies one Dockerfile instruction to an image's configuration, as in
// `minictr import --change 'CMD ["/bin/sh"]'`. It knows the instructions that
// only change configuration: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL,
// ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR. $NAME stands for a variable of
// the image where a Dockerfile would have it so.
func (c *Settings) Change(instruction string) error {
	verb, args, _ := strings.Cut(strings.TrimSpace(instruction), " ")
	if err := c.change(strings.ToUpper(verb), strings.TrimSpace(args)); err != nil {
		return fmt.Errorf("change %q: %w", instruction, err)
	}
	return nil
}

func (c *Settings) change(verb, args string) error {
	if args == "" {
		return errors.New("nothing follows the instruction")
	}
	switch verb {
	case "CMD":
		c.Cmd, c.newCmd = command(args), true
	case "ENTRYPOINT":
		c.entrypoint(command(args))
	case "ENV":
		return c.pairs(args, func(k, v string) { c.Env = setEnv(c.Env, k, v) })
	case "LABEL":
		c.Labels = maps.Clone(c.Labels)
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		return c.pairs(args, func(k, v string) { c.Labels[k] = v })
	case "EXPOSE":
		return c.expose(args)
	case "VOLUME":
		return c.volumes(args)
	case "HEALTHCHECK":
		return c.healthcheck(args)
	case "ONBUILD":
		return c.onBuild(args)
	case "USER", "STOPSIGNAL", "WORKDIR":
		return c.word(verb, args)
	default:
		return fmt.Errorf("%s is not an instruction that changes an image's configuration", verb)
	}
	return nil
}

// entrypoint: a new one does not inherit the arguments of the old one.
func (c *Settings) entrypoint(argv []string) {
	c.Entrypoint = argv
	if len(argv) > 0 && !c.newCmd {
		c.Cmd = nil
	}
}

// word is for instructions that take one.
func (c *Settings) word(verb, args string) error {
	value, err := c.value(args)
	if err != nil {
		return err
	}
	switch verb {
	case "USER":
		c.User = value
	case "STOPSIGNAL":
		c.StopSignal = value
	case "WORKDIR":
		if !path.IsAbs(value) {
			value = path.Join("/", c.WorkingDir, value)
		}
		c.WorkingDir = path.Clean(value)
	}
	return nil
}

func (c *Settings) volumes(args string) error {
	list, exec := jsonList(args)
	if !exec {
		var err error
		if list, err = c.words(args); err != nil {
			return err
		}
	}
	if slices.Contains(list, "") {
		return errors.New("a volume needs a path")
	}
	c.Volumes = with(c.Volumes, list)
	return nil
}

func (c *Settings) onBuild(args string) error {
	verb, _, _ := strings.Cut(args, " ")
	if verb = strings.ToUpper(verb); verb == "ONBUILD" || verb == "FROM" || verb == "MAINTAINER" {
		return fmt.Errorf("%s is not allowed as an ONBUILD trigger", verb)
	}
	c.OnBuild = append(slices.Clone(c.OnBuild), args)
	return nil
}

// command reads the exec form, a JSON list, or takes the line for the shell.
func command(args string) []string {
	if exec, ok := jsonList(args); ok {
		return exec
	}
	return []string{"/bin/sh", "-c", args}
}

func jsonList(s string) ([]string, bool) {
	var l []string
	err := json.Unmarshal([]byte(s), &l)
	return l, err == nil
}

func (c *Settings) expose(args string) error {
	list, err := c.words(args)
	if err != nil {
		return err
	}
	var ports []string
	for _, p := range list {
		span, proto, found := strings.Cut(strings.ToLower(p), "/")
		if !found {
			proto = "tcp"
		}
		from, to, two := strings.Cut(span, "-")
		if !two {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 16)
		last, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil || first == 0 || last < first || !slices.Contains([]string{"tcp", "udp", "sctp"}, proto) {
			return fmt.Errorf("%q is not a port or port/protocol", p)
		}
		for n := first; n <= last; n++ {
			ports = append(ports, strconv.FormatUint(n, 10)+"/"+proto)
		}
	}
	c.ExposedPorts = with(c.ExposedPorts, ports)
	return nil
}

func with(set map[string]struct{}, keys []string) map[string]struct{} {
	set = maps.Clone(set)
	if set == nil {
		set = map[string]struct{}{}
	}
	for _, k := range keys {
		set[k] = struct{}{}
	}
	return set
}

func setEnv(env []string, key, value string) []string {
	env = slices.Clone(env)
	for i, kv := range env {
		if strings.HasPrefix(kv, key+"=") {
			env[i] = key + "=" + value
			return env
		}
	}
	return append(env, key+"="+value)
}
