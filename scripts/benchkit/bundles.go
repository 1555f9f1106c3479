package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"minictr/pkg/seccomp/profile"
)

// oftener is how many times as often the runtimes are measured: they are quick, and near each other.
const oftener = 5

// bundles are the tasks of runtimes alone: run a bundle, run it with docker's seccomp profile, execute a program in a
// container that runs; and what memory they need for that.
func (b *bench) bundles(runtimes []*contender) {
	runtimes = slices.DeleteFunc(slices.Clone(runtimes), func(c *contender) bool { return !c.unique }) // unshare
	if len(runtimes) == 0 {
		return
	}
	many := b.rounds * oftener
	if b.wants("bundle") {
		b.race(table{task: "bundle", title: "run a bundle with /bin/true"}, runtimes, many)
	}
	if b.wants("seccomp") {
		secured, err := b.derive(runtimes, "bundle-seccomp", addProfile)
		if err != nil {
			b.report.missing("seccomp", err)
		}
		b.race(table{task: "seccomp", title: "the same with docker's seccomp profile"}, secured, many)
	}
	if b.wants("bundle-exec") {
		sleepers, done := b.sleepers(runtimes)
		b.race(table{task: "bundle-exec", title: "execute /bin/true in a container of a bundle"}, sleepers, many)
		done()
	}
	if b.wants("peak") {
		b.peaks(runtimes)
	}
}

// derive makes another bundle with the same root, and the contenders that run it.
func (b *bench) derive(runtimes []*contender, name string, edit func(config map[string]any) error) ([]*contender, error) {
	text, err := os.ReadFile(filepath.Join(b.bundle, "config.json"))
	if err != nil {
		return nil, err
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	config["root"] = map[string]any{"path": filepath.Join(b.bundle, "rootfs"), "readonly": true}
	if err := edit(config); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(config); err != nil {
		return nil, err
	}
	dir := filepath.Join(b.temp, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644); err != nil {
		return nil, err
	}
	var all []*contender
	for _, r := range runtimes {
		c := *r
		c.argv = []string{r.argv[0], "run", "--bundle", dir}
		all = append(all, &c)
	}
	return all, nil
}

func addProfile(config map[string]any) error {
	linux, ok := config["linux"].(map[string]any)
	if !ok {
		return errors.New("config.json has no section linux")
	}
	seccomp, err := profile.Default(nil)
	linux["seccomp"] = seccomp
	return err
}

// sleepers starts a container with each runtime, and returns the contenders that execute something in it. done deletes
// the containers.
func (b *bench) sleepers(runtimes []*contender) (all []*contender, done func()) {
	var deletes []func()
	done = func() {
		for _, d := range deletes {
			d()
		}
	}
	sleepers, err := b.derive(runtimes, "bundle-sleep", func(config map[string]any) error {
		config["process"].(map[string]any)["args"] = []string{"/bin/sleep", "1000"} // change has found a process
		return nil
	})
	if err != nil {
		b.report.missing("bundle-exec", err)
		return nil, done
	}
	for i, c := range sleepers {
		name := fmt.Sprintf("bench-sleep-%d", i)
		if said, err := c.world.output(nil, append(c.argv, "--detach", name)...); err != nil {
			b.report.missing(c.name, fmt.Errorf("%w: %s", err, strings.TrimSpace(said)))
			continue
		}
		deletes = append(deletes, func() {
			if _, err := c.world.output(nil, c.argv[0], "delete", "--force", name); err != nil {
				b.report.missing(c.name+", delete", err)
			}
		})
		all = append(all, &contender{name: c.name, argv: []string{c.argv[0], "exec", name, "/bin/true"}, world: c.world})
	}
	return all, done
}
