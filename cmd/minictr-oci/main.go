// Command minictr-oci is an OCI runtime: it runs bundles for other engines,
// with runc's command line.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/oci"
	"minictr/pkg/step"
)

const usage = `minictr-oci runs OCI bundles, with runc's command line.

usage: minictr-oci [--root DIR] COMMAND [OPTION…] ID

  create [--bundle DIR] [--pid-file FILE] ID   make the container, stop before its program
  start ID                                     run its program
  run [--bundle DIR] [--pid-file FILE] ID      create, start, wait and delete
  state ID                                     print its state as JSON
  kill ID [SIGNAL]                             send a signal, TERM if none is named
  delete [--force] ID                          remove it
  list                                         all containers
  version

example: minictr-oci run --bundle /tmp/box box1
`

// version is set at build time.
var version = "dev"

func main() {
	if err := run(os.Args[1:]); err != nil {
		var code exitCode
		if errors.As(err, &code) {
			os.Exit(int(code))
		}
		fmt.Fprintln(os.Stderr, "minictr-oci:", err)
		var broken *step.Error
		if errors.As(err, &broken) && broken.Hint() != "" {
			fmt.Fprintln(os.Stderr, "hint:", broken.Hint())
		}
		os.Exit(1)
	}
}

// exitCode is the exit code of a container that run waited for.
type exitCode int

func (c exitCode) Error() string { return "exit code " + strconv.Itoa(int(c)) }

func run(args []string) error {
	global := flags("minictr-oci")
	root := global.String("root", string(oci.DefaultRoot), "directory for the state of containers")
	if err := global.Parse(args); err != nil {
		return help(err)
	}
	if global.NArg() == 0 {
		fmt.Print(usage)
		return nil
	}
	return command(oci.Root(*root), global.Arg(0), global.Args()[1:])
}

func flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return f
}

func help(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return nil
	}
	return fmt.Errorf("%w (try --help)", err)
}

func command(root oci.Root, name string, args []string) error {
	f := flags(name)
	bundle := f.String("bundle", ".", "")
	f.StringVar(bundle, "b", ".", "")
	pidFile := f.String("pid-file", "", "")
	force := f.Bool("force", false, "")
	f.BoolVar(force, "f", false, "")
	if err := f.Parse(args); err != nil {
		return help(err)
	}
	switch name {
	case "version":
		fmt.Printf("minictr-oci %s\nspec: %s\n", version, specs.Version)
		return nil
	case "list":
		return list(root)
	}
	if f.NArg() == 0 {
		return fmt.Errorf("%s needs the id of a container (try --help)", name)
	}
	id := f.Arg(0)
	switch name {
	case "create":
		_, err := root.Create(oci.Options{ID: id, Bundle: *bundle, PidFile: *pidFile})
		return err
	case "run":
		return runAndWait(root, oci.Options{ID: id, Bundle: *bundle, PidFile: *pidFile, Run: true})
	}
	c, err := root.Load(id)
	if err != nil {
		if name == "delete" && *force && errors.Is(err, oci.ErrNotFound) {
			return nil
		}
		return err
	}
	switch name {
	case "start":
		return c.Start()
	case "state":
		return print(c.State())
	case "kill":
		sig, err := parseSignal(f.Arg(1))
		if err != nil {
			return err
		}
		return c.Kill(sig)
	case "delete":
		return c.Delete(*force)
	}
	return fmt.Errorf("unknown command %q (try --help)", name)
}

// runAndWait stays in the foreground: signals go to the container, its exit
// code becomes ours.
func runAndWait(root oci.Root, o oci.Options) error {
	signals := make(chan os.Signal, 32)
	signal.Notify(signals)
	c, err := root.Create(o)
	if err != nil {
		return err
	}
	go func() {
		for s := range signals {
			if s != syscall.SIGCHLD && s != syscall.SIGURG && s != syscall.SIGPIPE {
				_ = c.Kill(s.(syscall.Signal))
			}
		}
	}()
	var ws unix.WaitStatus
	for {
		if _, err = unix.Wait4(c.PID, &ws, 0, nil); err != unix.EINTR {
			break
		}
	}
	signal.Stop(signals)
	close(signals)
	if err := errors.Join(err, c.Delete(true)); err != nil {
		return err
	}
	switch {
	case ws.Signaled():
		return exitCode(128 + int(ws.Signal()))
	case ws.ExitStatus() != 0:
		return exitCode(ws.ExitStatus())
	}
	return nil
}

func parseSignal(name string) (unix.Signal, error) {
	if name == "" {
		return unix.SIGTERM, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n <= 64 {
		return unix.Signal(n), nil
	}
	name = strings.ToUpper(name)
	if s := unix.SignalNum("SIG" + strings.TrimPrefix(name, "SIG")); s != 0 {
		return s, nil
	}
	return 0, fmt.Errorf("unknown signal %q", name)
}

func print(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(b))
	return nil
}

func list(root oci.Root) error {
	all, err := root.List()
	if err != nil {
		return err
	}
	fmt.Printf("%-24s %-8s %-10s %s\n", "ID", "PID", "STATUS", "BUNDLE")
	for _, c := range all {
		s := c.State()
		fmt.Printf("%-24s %-8d %-10s %s\n", s.ID, s.Pid, s.Status, s.Bundle)
	}
	return nil
}
