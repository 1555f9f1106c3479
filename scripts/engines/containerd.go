package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// newContainerd drives containerd by ctr, its own bare command line. The runtime is an option of containerd's runc shim:
// a configuration file says the same as runtimes.NAME.options.BinaryName.
func newContainerd(b *bench) *engine {
	const socket = "/run/containerd/containerd.sock"
	ctr := func(args ...string) []string { return append([]string{"ctr", "--namespace", "engines"}, args...) }
	logFile := func(id string) string { return filepath.Join(b.dir, id+".log") }
	e := &engine{
		bench: b, name: "containerd", needs: []string{"containerd", "ctr", "containerd-shim-runc-v2"},
		version: []string{"containerd", "--version"},
		noPids:  "ctr has no option for it",
	}
	e.start = func() error {
		config := filepath.Join(b.dir, "containerd.toml")
		text := "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			return err
		}
		if err := b.daemon([]string{"containerd", "--config", config, "--address", socket}, ctr("version")...); err != nil {
			return err
		}
		_, err := b.must(ctr("images", "import", b.archive)...)
		return err
	}
	e.run = func(o options, args ...string) []string {
		argv := ctr("run", "--runc-binary", b.runtime)
		if o.detach {
			argv = append(argv, "--detach", "--log-uri", "file://"+logFile(o.id))
		} else {
			argv = append(argv, "--rm")
		}
		if o.tty {
			argv = append(argv, "--tty")
		}
		if o.memory != "" {
			argv = append(argv, "--memory-limit", o.memory)
		}
		return append(append(argv, imageName, o.id), args...)
	}
	execs := 0
	e.exec = func(id string, tty bool, args ...string) []string {
		execs++
		argv := ctr("tasks", "exec", "--exec-id", fmt.Sprintf("exec%d", execs))
		if tty {
			argv = append(argv, "--tty")
		}
		return append(append(argv, id), args...)
	}
	e.logs = func(id string) (string, error) {
		text, err := os.ReadFile(logFile(id))
		return string(text), err
	}
	e.kill = func(id string) []string { return ctr("tasks", "kill", "--signal", "SIGKILL", id) }
	e.stop = func(id string) error {
		_, err := b.must(ctr("tasks", "kill", "--signal", "SIGTERM", id)...)
		return err
	}
	e.wait = func(id string) (int, error) {
		err := eventually(func() (bool, error) {
			out, err := b.must(ctr("tasks", "ls")...)
			for line := range strings.Lines(out) {
				if f := strings.Fields(line); len(f) == 3 && f[0] == id {
					return f[2] == "STOPPED", err
				}
			}
			return false, err
		})
		if err != nil {
			return 0, err
		}
		out, err := b.must(ctr("tasks", "delete", id)...)
		if err != nil {
			return 0, err
		}
		// Here ctr tells by a warning.
		_, number, ok := strings.Cut(strings.TrimSpace(out), "non-zero exit code ")
		if !ok {
			return 0, nil
		}
		return strconv.Atoi(strings.Trim(number, `" `))
	}
	e.ids = func() ([]string, error) {
		out, err := b.must(ctr("containers", "ls", "--quiet")...)
		return strings.Fields(out), err
	}
	e.rm = func(id string) error {
		_, _, err := b.command(ctr("tasks", "delete", "--force", id)) // its exit code is the container's
		if err == nil {
			_, err = b.must(ctr("containers", "delete", id)...)
		}
		return err
	}
	e.pause = func(id string) []string { return ctr("tasks", "pause", id) }
	e.resume = func(id string) []string { return ctr("tasks", "resume", id) }
	return e
}
