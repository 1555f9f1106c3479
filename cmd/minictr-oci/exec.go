package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

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
	var env, gids, caps list
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
	cgroup := f.String("cgroup", "", "not supported")
	rest, err := f.first(args)
	if err != nil || f.helped {
		return err
	}
	switch {
	case len(rest) == 0:
		return fmt.Errorf("minictr-oci: %q requires a minimum of %d argument(s)", "exec", 1)
	case *file == "" && len(rest) < 2:
		return errors.New("process args cannot be empty")
	case *cgroup != "":
		return errors.New("--cgroup is not supported: a process joins the container's own cgroup")
	}
	if err := oci.CheckFDs(*preserve); err != nil {
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
		Process: p, PidFile: *pidFile, ConsoleSocket: *socket, KeepConsole: !*detach, PreserveFDs: *preserve, IgnorePaused: *ignorePaused,
		Observe: a.log.observer(),
	}, *detach)
}

func execWait(c *oci.Container, o oci.ExecOptions, detach bool) error {
	fw := newForwarder()
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
