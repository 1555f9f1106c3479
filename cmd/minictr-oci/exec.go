package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/oci"
)

func (a *app) exec(args []string) error {
	err := a.execute(args)
	var code exitCode
	if err != nil && !errors.As(err, &code) {
		return &statusError{255, fmt.Errorf("exec failed: %w", err)}
	}
	return err
}

func (a *app) execute(args []string) error {
	f := newFlags("exec", "ID COMMAND [ARGUMENT…]")
	var env, gids, caps, cgroups list
	file := f.stringBoth("process", "p", "", "`file` with the process as JSON")
	tty := f.boolBoth("tty", "t", "give it a terminal")
	cwd := f.String("cwd", "", "working `directory` in the container")
	user := f.stringBoth("user", "u", "", "`uid[:gid]`")
	f.two(&env, "env", "e", "`NAME=value`")
	f.two(&gids, "additional-gids", "g", "one more `gid`")
	f.two(&caps, "cap", "c", "one more `capability`")
	detach := f.boolBoth("detach", "d", "do not wait for it")
	pidFile := f.String("pid-file", "", "`file` to write its process id to")
	socket := f.String("console-socket", "", "unix `socket` that gets the terminal's master")
	apparmor := f.String("apparmor", "", "AppArmor `profile`")
	label := f.String("process-label", "", "SELinux `label`")
	noNewPrivs := f.Bool("no-new-privs", false, "set-uid programs give it nothing")
	ignorePaused := f.Bool("ignore-paused", false, "also in a paused container")
	preserve := f.Int("preserve-fds", 0, "pass `n` more descriptors than the standard ones")
	pidfd := f.String("pidfd-socket", "", "unix `socket` that gets a pidfd of the process")
	f.Var(&cgroups, "cgroup", "`[controller,…:]path` of a cgroup that the container has made below its own")
	rest, err := f.first(args)
	if err != nil || f.helped {
		return err
	}
	switch {
	case len(rest) == 0:
		return fmt.Errorf("minictr-oci: %q requires a minimum of %d argument(s)", "exec", 1)
	case *file == "" && len(rest) < 2:
		return errors.New("process args cannot be empty")
	}
	if err := oci.CheckFDs(*preserve); err != nil {
		return err
	}
	below, err := subCgroups(cgroups)
	if err != nil {
		return err
	}
	c, err := a.root.Load(rest[0])
	if err != nil {
		return err
	}
	groups, err := numbers(gids)
	if err != nil {
		return err
	}
	p, err := loadProcess(*file)
	if p == nil && err == nil {
		p, err = c.Process(oci.ProcessFlags{
			Args: rest[1:], Cwd: *cwd, User: *user, Env: env, AdditionalGids: groups, Caps: caps, TTY: *tty,
			NoNewPrivs: *noNewPrivs, AppArmor: *apparmor, Label: *label,
		})
	}
	if err != nil {
		return err
	}
	if p.Terminal && p.ConsoleSize == nil {
		p.ConsoleSize = userSize()
	}
	return execWait(c, oci.ExecOptions{
		Process: p, PidFile: *pidFile, ConsoleSocket: *socket, PidfdSocket: *pidfd, SubCgroups: below, KeepConsole: !*detach, PreserveFDs: *preserve, IgnorePaused: *ignorePaused,
		Observe: a.log.observer(),
	}, *detach)
}

// subCgroups reads the values of --cgroup: a path for all hierarchies, or paths
// for controllers of v1.
func subCgroups(values []string) (map[string]string, error) {
	paths := make(map[string]string)
	for _, v := range values {
		names, path, named := strings.Cut(v, ":")
		if !named {
			names, path = "", v
			if len(values) > 1 {
				return nil, fmt.Errorf("--cgroup %s: where there are several, each names its controllers", v)
			}
		}
		for _, c := range strings.Split(names, ",") {
			if _, twice := paths[c]; twice || named && c == "" {
				return nil, fmt.Errorf("--cgroup %s: a controller is missing or named twice", v)
			}
			paths[c] = path
		}
	}
	return paths, nil
}

func execWait(c *oci.Container, o oci.ExecOptions, detach bool) error {
	fw := newForwarder()
	o.Planned = fw.await
	e, err := c.Exec(o)
	if err != nil || detach {
		return err
	}
	code, err := fw.follow(e.PID, e.Console)
	if err == nil && code != 0 {
		return exitCode(code)
	}
	return err
}

func loadProcess(file string) (*specs.Process, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p := new(specs.Process)
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func numbers(l list) ([]uint32, error) {
	var ids []uint32
	for _, s := range l {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("parsing %s as gid failed: %w", s, err)
		}
		ids = append(ids, uint32(n))
	}
	return ids, nil
}
