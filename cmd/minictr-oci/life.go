package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/oci"
)

// createFlags are the options that create and run share.
func (a *app) createFlags(f *flags) func(id string) (oci.Options, error) {
	bundle := f.stringBoth("bundle", "b", ".", "`directory` of the bundle")
	config := f.stringBoth("config", "f", "config.json", "`file` of the bundle with the configuration")
	pidFile := f.String("pid-file", "", "`file` to write the process id to")
	socket := f.String("console-socket", "", "unix `socket` that gets the terminal's master")
	pidfd := f.String("pidfd-socket", "", "unix `socket` that gets a pidfd of the process")
	preserve := f.Int("preserve-fds", 0, "pass `n` more descriptors than the standard ones")
	noPivot := f.Bool("no-pivot", false, "move and chroot instead of pivot_root (initramfs)")
	noKeyring := f.Bool("no-new-keyring", false, "keep the caller's session keyring")
	return func(id string) (oci.Options, error) {
		return oci.Options{
			ID: id, Bundle: *bundle, Config: *config, PidFile: *pidFile, ConsoleSocket: *socket, PidfdSocket: *pidfd,
			PreserveFDs: *preserve, NoPivot: *noPivot, NoNewKeyring: *noKeyring, Systemd: a.systemd, Observe: a.log.observer(),
		}, oci.CheckFDs(*preserve)
	}
}

func (a *app) create(args []string) error {
	f := newFlags("create", "ID")
	options := a.createFlags(f)
	ids, err := f.all(args, 1, 1)
	if err != nil || f.helped {
		return err
	}
	o, err := options(ids[0])
	if err == nil {
		_, err = a.root.Create(o)
	}
	return err
}

func (a *app) runContainer(args []string) error {
	f := newFlags("run", "ID")
	options := a.createFlags(f)
	detach := f.boolBoth("detach", "d", "leave it running and return")
	keep := f.Bool("keep", false, "do not delete it when it has ended")
	_ = f.Bool("no-subreaper", false, "accepted; nothing is reaped here but the container")
	ids, err := f.all(args, 1, 1)
	if err != nil || f.helped {
		return err
	}
	o, err := options(ids[0])
	if err != nil {
		return err
	}
	o.Run, o.KeepConsole = true, !*detach
	o.ConsoleSize = userSize()
	if *detach {
		_, err := a.root.Create(o)
		return err
	}
	return a.foreground(o, *keep)
}

// foreground stays with the container: signals go to it, its exit code becomes
// ours.
func (a *app) foreground(o oci.Options, keep bool) error {
	fw := newForwarder()
	o.Planned = fw.await
	c, err := a.root.Create(o)
	if err != nil {
		return err
	}
	code, err := fw.follow(c.PID, c.Console)
	if !keep {
		err = errors.Join(err, c.Delete(true))
	}
	if err == nil && code != 0 {
		return exitCode(code)
	}
	return err
}

func (a *app) start(args []string) error {
	c, err := a.one("start", args)
	if err != nil || c == nil {
		return err
	}
	return c.Start()
}

// one reads the only argument of a simple command: a container's id.
func (a *app) one(name string, args []string) (*oci.Container, error) {
	f := newFlags(name, "ID")
	ids, err := f.all(args, 1, 1)
	if err != nil || f.helped {
		return nil, err
	}
	return a.root.Load(ids[0])
}

func (a *app) kill(args []string) error {
	f := newFlags("kill", "ID [SIGNAL]")
	all := f.boolBoth("all", "a", "to all processes of the container")
	words, err := f.all(args, 1, 2)
	if err != nil || f.helped {
		return err
	}
	name := "SIGTERM"
	if len(words) == 2 {
		name = words[1]
	}
	sig, err := parseSignal(name)
	if err != nil {
		return err
	}
	c, err := a.root.Load(words[0])
	if err != nil {
		return err
	}
	if *all {
		return c.KillAll(sig)
	}
	return c.Kill(sig)
}

func parseSignal(name string) (unix.Signal, error) {
	if n, err := strconv.Atoi(name); err == nil {
		if n < 0 || n > 64 {
			return 0, fmt.Errorf("unknown signal %q", name)
		}
		return unix.Signal(n), nil
	}
	if s := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("unknown signal %q", name)
}

func (a *app) delete(args []string) error {
	f := newFlags("delete", "ID")
	force := f.boolBoth("force", "f", "kill it if it runs; no error if it does not exist")
	ids, err := f.all(args, 1, 1)
	if err != nil || f.helped {
		return err
	}
	c, err := a.root.Load(ids[0])
	if errors.Is(err, oci.ErrNotFound) && *force {
		return a.root.Forget(ids[0])
	}
	if err != nil {
		return err
	}
	return c.Delete(*force)
}

func (a *app) pause(args []string) error {
	c, err := a.one("pause", args)
	if err != nil || c == nil {
		return err
	}
	return c.Pause()
}

func (a *app) resume(args []string) error {
	c, err := a.one("resume", args)
	if err != nil || c == nil {
		return err
	}
	return c.Resume()
}

// isTerminal says whether a file given to us is the user's screen.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
