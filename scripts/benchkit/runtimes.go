package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The runtimes know nothing of images, networks or logs: they run one bundle, a root file system with a config.json
// beside it. It is the work that no engine can do without; unshare shows how much of that is the kernel's.

const legacyNote = "in a view of the file system without cgroup2 beside v1, which crun takes for broken here"

// prepareRuntimes returns the runtimes that can run the bundle, and unshare.
func (b *bench) prepareRuntimes() (all []*contender) {
	if !slices.ContainsFunc([]string{"none", "bundle", "seccomp", "bundle-exec", "peak"}, b.wants) {
		return nil
	}
	if err := b.configure(); err != nil {
		b.report.missing("minictr-oci, crun and runc", err)
	} else {
		for _, r := range []struct{ name, program, whence string }{
			{"minictr-oci, bundle", filepath.Join(b.temp, "bin/minictr-oci"), "make build"},
			{"crun, bundle", "crun", "Debian: crun"},
			{"runc, bundle", "runc", "Debian: runc"},
		} {
			c, err := b.runtime(r.program, r.whence)
			if err != nil {
				b.report.missing(r.name, err)
				continue
			}
			c.name = r.name
			all = append(all, c)
		}
	}
	if slices.Contains(b.skip, "unshare") {
		return all
	}
	return append(all, &contender{name: "unshare, no runtime at all", argv: []string{
		"unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--fork",
		"--root", filepath.Join(b.bundle, "rootfs"), "/bin/true",
	}})
}

// configure writes the bundle's config.json: what a peer proposes, with true for a shell and no terminal.
func (b *bench) configure() error {
	var spec string
	for _, program := range []string{"crun", "runc"} {
		if path, err := exec.LookPath(program); err == nil {
			spec = path
			break
		}
	}
	if spec == "" {
		return errors.New("neither crun nor runc is here to write a config.json (Debian: crun, runc)")
	}
	cmd := exec.Command(spec, "spec")
	cmd.Dir = b.bundle
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s spec: %w: %s", spec, err, lastLine(out))
	}
	path := filepath.Join(b.bundle, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if text, err = change(text, "/bin/true"); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// change changes what a configuration runs, and more.
func change(text []byte, args ...string) ([]byte, error) {
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("read config.json: %w", err)
	}
	process, ok := config["process"].(map[string]any)
	if !ok {
		return nil, errors.New("read config.json: no process in it")
	}
	process["terminal"] = false
	process["args"] = args
	return json.Marshal(config)
}

// runtime proves that a runtime runs the bundle here.
func (b *bench) runtime(program, whence string) (*contender, error) {
	name := filepath.Base(program)
	if slices.Contains(b.skip, name) {
		return nil, errors.New("left out (-skip)")
	}
	if _, err := exec.LookPath(program); err != nil {
		return nil, fmt.Errorf("not installed (%s)", whence)
	}
	c := &contender{argv: []string{program, "run", "--bundle", b.bundle}, unique: true}
	_, err := c.world.output(nil, append(c.argv, "bench-check")...)
	if err != nil && name == "crun" && onHybrid() {
		first := err
		if c.world, err = legacyWorld(); err == nil {
			_, err = c.world.output(nil, append(c.argv, "bench-again")...)
		}
		if err != nil {
			return nil, errors.Join(first, err)
		}
		b.report.notes = append(b.report.notes, "crun: "+legacyNote)
	}
	if err != nil {
		return nil, err
	}
	version, _ := c.world.output(nil, program, "--version")
	b.report.version(name, strings.Fields(version + " ? ? ?")[2])
	return c, nil
}

// onHybrid tells whether cgroup2 is mounted beside v1.
func onHybrid() bool {
	groups, err := findCgroups()
	return err == nil && slices.ContainsFunc(groups, func(h hierarchy) bool { return h.fstype == "cgroup" }) &&
		slices.ContainsFunc(groups, func(h hierarchy) bool { return h.mount == "/sys/fs/cgroup/unified" })
}
