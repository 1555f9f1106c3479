package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// dockerLike is an engine with docker's command line. base begins every command; extra are more options of run, and
// force of rm.
func dockerLike(b *bench, name string, base, extra, force []string) *engine {
	cmd := func(args ...string) []string { return slices.Concat(base, args) }
	e := &engine{bench: b, name: name}
	e.run = func(o options, args ...string) []string {
		argv := append(cmd("run", "--network", "none", "--name", o.id), extra...)
		if o.detach {
			argv = append(argv, "--detach")
		} else {
			argv = append(argv, "--rm")
		}
		if o.tty {
			argv = append(argv, "--interactive", "--tty")
		}
		if o.memory != "" {
			argv = append(argv, "--memory", o.memory)
		}
		if o.pids != "" {
			argv = append(argv, "--pids-limit", o.pids)
		}
		return append(append(argv, imageName), args...)
	}
	e.exec = func(id string, tty bool, args ...string) []string {
		argv := cmd("exec")
		if tty {
			argv = append(argv, "--interactive", "--tty")
		}
		return append(append(argv, id), args...)
	}
	e.logs = func(id string) (string, error) { return b.must(cmd("logs", id)...) }
	e.kill = func(id string) []string { return cmd("kill", id) }
	e.stop = func(id string) error {
		_, err := b.must(cmd("stop", "--time", "20", id)...)
		return err
	}
	e.wait = func(id string) (int, error) {
		out, err := b.must(cmd("wait", id)...)
		if err != nil {
			return 0, err
		}
		code, err := strconv.Atoi(strings.TrimSpace(out))
		if err != nil {
			err = fmt.Errorf("%s wait: %w", name, err)
		}
		return code, err
	}
	e.ids = func() ([]string, error) {
		out, err := b.must(cmd("ps", "--all", "--format", "{{.Names}}")...)
		return strings.Fields(out), err
	}
	e.rm = func(id string) error {
		_, err := b.must(append(slices.Concat(base, []string{"rm", "--force"}, force), id)...)
		return err
	}
	e.pause = func(id string) []string { return cmd("pause", id) }
	e.resume = func(id string) []string { return cmd("unpause", id) }
	return e
}
