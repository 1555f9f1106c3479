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

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Change applies one Dockerfile instruction to an image's configuration, as in
// `minictr import --change 'CMD ["/bin/sh"]'`. It knows the instructions that
// only change configuration: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL,
// USER, VOLUME, WORKDIR.
func Change(c *ocispec.ImageConfig, instruction string) error {
	verb, args, _ := strings.Cut(strings.TrimSpace(instruction), " ")
	if err := change(c, strings.ToUpper(verb), strings.TrimSpace(args)); err != nil {
		return fmt.Errorf("change %q: %w", instruction, err)
	}
	return nil
}

func change(c *ocispec.ImageConfig, verb, args string) error {
	if args == "" {
		return errors.New("nothing follows the instruction")
	}
	switch verb {
	case "CMD":
		c.Cmd = command(args)
	case "ENTRYPOINT":
		c.Entrypoint, c.Cmd = command(args), nil // docker: a new entrypoint does not inherit arguments
	case "ENV":
		return pairs(args, func(k, v string) { c.Env = setEnv(c.Env, k, v) })
	case "LABEL":
		c.Labels = maps.Clone(c.Labels)
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		return pairs(args, func(k, v string) { c.Labels[k] = v })
	case "EXPOSE":
		return expose(c, args)
	case "VOLUME":
		c.Volumes = with(c.Volumes, list(args))
	case "USER":
		c.User = args
	case "STOPSIGNAL":
		c.StopSignal = args
	case "WORKDIR":
		if !path.IsAbs(args) {
			args = path.Join("/", c.WorkingDir, args)
		}
		c.WorkingDir = path.Clean(args)
	default:
		return fmt.Errorf("%s is not an instruction that changes an image's configuration", verb)
	}
	return nil
}

// command reads the exec form, a JSON list, or takes the line for the shell.
func command(args string) []string {
	if exec, ok := jsonList(args); ok {
		return exec
	}
	return []string{"/bin/sh", "-c", args}
}

// list reads a JSON list, or words.
func list(args string) []string {
	if l, ok := jsonList(args); ok {
		return l
	}
	return strings.Fields(args)
}

func jsonList(s string) ([]string, bool) {
	var l []string
	err := json.Unmarshal([]byte(s), &l)
	return l, err == nil
}

func expose(c *ocispec.ImageConfig, args string) error {
	var ports []string
	for _, p := range strings.Fields(args) {
		port, proto, found := strings.Cut(strings.ToLower(p), "/")
		if !found {
			proto = "tcp"
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || !slices.Contains([]string{"tcp", "udp", "sctp"}, proto) {
			return fmt.Errorf("%q is not a port or port/protocol", p)
		}
		ports = append(ports, port+"/"+proto)
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
	env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return strings.HasPrefix(kv, key+"=") })
	return append(env, key+"="+value)
}

// pairs reads KEY=VALUE …, where values may be quoted, or the old form KEY VALUE.
func pairs(args string, set func(k, v string)) error {
	list, err := words(args)
	if err != nil {
		return err
	}
	if !strings.Contains(list[0], "=") {
		key, value, found := strings.Cut(args, " ")
		if !found {
			return fmt.Errorf("%q has no value", args)
		}
		set(key, strings.TrimSpace(value))
		return nil
	}
	for _, w := range list {
		key, value, found := strings.Cut(w, "=")
		if !found || key == "" {
			return fmt.Errorf("%q is not KEY=VALUE", w)
		}
		set(key, value)
	}
	return nil
}

// words splits as a shell would, without expanding anything.
func words(s string) ([]string, error) {
	var list []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	escaped := false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			inWord, escaped = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			inWord, quote = true, r
		case quote == 0 && (r == ' ' || r == '\t'):
			if inWord {
				list = append(list, word.String())
				word.Reset()
			}
			inWord = false
		default:
			inWord = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("%q ends inside a quotation", s)
	}
	if inWord {
		list = append(list, word.String())
	}
	return list, nil
}
