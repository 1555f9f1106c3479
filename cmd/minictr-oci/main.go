//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command minictr-oci is an OCI runtime: it runs bundles for other engines,
// with runc's command line.
//
// It lives for milliseconds: it need not follow a processor limit, and the
// descriptors that Go keeps for that would be in the way of --preserve-fds.
// Nor does it touch the garbage collector: to say that there shall be none
// stops the world, and it would not run before 4 MB are used, which are not.
package main

import (
	"errors"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	_ "minictr/pkg/kernel/calm" // it is over in milliseconds
	"minictr/pkg/oci"
)

const usage = `NAME:
   minictr-oci - runs OCI bundles with the command line of runc - Open Container Initiative runtime

usage: minictr-oci [GLOBAL OPTION…] COMMAND [OPTION…] [ARGUMENT…]

  create ID          make the container, stop before its program
  start ID           run its program
  run ID             create, start, wait and delete
  exec ID CMD…       run one more process in it
  state ID           print its state as JSON
  kill ID [SIGNAL]   send a signal, TERM if none is named
  delete ID          remove it
  ps ID [PS OPTION…] its processes
  list               all containers
  pause ID           stop all its processes for a while
  resume ID          let them go on
  update ID          change its limits
  events ID          print what it uses
  spec               write an example config.json
  features           print what this runtime can do
  COMMAND --help     the options of a command

global options:
  --root DIR         where the state of containers is kept (` + string(oci.DefaultRoot) + `)
  --log FILE         write messages there too (default: standard error)
  --log-format text|json
  --debug            more messages
  --rootless true|false|auto
  --systemd-cgroup   cgroupsPath is SLICE:PREFIX:NAME, a scope of systemd's
  --cgroup-manager cgroupfs|systemd   the same, as crun spells it

example: minictr-oci run --bundle /tmp/box box1
`

// version is set at build time.
var version = "dev"

// app is what the global options say.
type app struct {
	root    oci.Root
	systemd bool // it is told of cgroups
	log     *logger
}

func main() {
	a := &app{log: &logger{}}
	err := a.run(os.Args[1:])
	var code exitCode
	if err != nil && !errors.As(err, &code) {
		a.log.fatal(err)
		code = 1
		var s *statusError
		if errors.As(err, &s) {
			code = exitCode(s.code)
		}
	}
	os.Exit(int(code))
}

// exitCode is the exit code of a container that we waited for.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// statusError is an error for which runc has an exit status other than 1.
type statusError struct {
	code int
	err  error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

func (a *app) run(args []string) error {
	f := newFlags("minictr-oci", "[GLOBAL OPTION…] COMMAND")
	root := f.String("root", string(oci.DefaultRoot), "")
	log := f.String("log", "", "")
	format := f.String("log-format", "text", "")
	debug := f.Bool("debug", false, "")
	systemd := f.Bool("systemd-cgroup", false, "")
	manager := f.String("cgroup-manager", "cgroupfs", "")
	rootless := f.String("rootless", "auto", "")
	_ = f.String("criu", "", "")
	showVersion := f.Bool("version", false, "")
	f.BoolVar(showVersion, "v", false, "")
	f.text = usage
	rest, err := f.first(args)
	if err != nil || f.helped {
		return err
	}
	if err := a.log.open(*log, *format, *debug); err != nil {
		return err
	}
	oci.OnWarning(a.log.warn)
	switch *rootless {
	case "true", "false", "auto":
	default:
		return fmt.Errorf("--rootless: %q is none of true, false, auto", *rootless)
	}
	a.root = oci.Root(*root)
	switch {
	case *showVersion:
		return printVersion()
	case len(rest) == 0:
		fmt.Print(usage)
		return nil
	case *manager != "cgroupfs" && *manager != "systemd":
		return fmt.Errorf("--cgroup-manager: %q is none of cgroupfs, systemd", *manager)
	}
	a.systemd = *systemd || *manager == "systemd"
	return a.command(rest[0], rest[1:])
}

func (a *app) command(name string, args []string) error {
	commands := map[string]func([]string) error{
		"create": a.create, "run": a.runContainer, "start": a.start, "exec": a.exec, "kill": a.kill, "delete": a.delete,
		"state": a.state, "list": a.list, "ps": a.ps, "pause": a.pause, "resume": a.resume, "update": a.update,
		"events": a.events, "spec": a.spec, "features": a.features,
		"checkpoint": unsupported("checkpoint", "CONTAINER"), "restore": unsupported("restore", "CONTAINER"),
		"version": func([]string) error { return printVersion() },
		"help":    func([]string) error { fmt.Print(usage); return nil },
	}
	if run, ok := commands[name]; ok {
		return run(args)
	}
	//lint:ignore ST1005 runc's words
	return fmt.Errorf("No help topic for '%s'", name)
}

// unsupported is a command of runc's that is refused by its name.
func unsupported(name, arguments string) func([]string) error {
	return func(args []string) error {
		f := newFlags(name, arguments)
		if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
			f.help()
			return nil
		}
		return fmt.Errorf("%s is not supported: this runtime cannot write a container's memory to disk or read it back", name)
	}
}

func printVersion() error {
	fmt.Printf("minictr-oci version %s\nspec: %s\n", version, specs.Version)
	return nil
}
