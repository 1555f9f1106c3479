package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
	"minictr/pkg/process"
	"minictr/pkg/shim/client"
	"minictr/pkg/step"
	"minictr/pkg/terminal"
)

type execFlags struct {
	engine.ExecOptions
	interactive, detach bool
	detachKeys          string
	env, envFiles       []string
}

func newExec(a *app) *cobra.Command {
	var f execFlags
	cmd := &cobra.Command{
		Use:   "exec [OPTIONS] CONTAINER COMMAND [ARG...]",
		Short: "Run one more process in a running container",
		Long: `Run one more process in a running container: it joins the namespaces and
cgroups of the container's first process. Its exit code is this command's.`,
		Example: `  minictr exec web ps
  minictr exec -it web sh
  minictr exec -u nobody -w /tmp -e A=1 web env`,
		Args:              atLeast(2, "a container and a command"),
		ValidArgsFunction: completeFirst(a.completeRunning),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.exec(cmd, args, &f) },
	}
	fs := cmd.Flags()
	fs.SetInterspersed(false)
	fs.BoolVarP(&f.interactive, "interactive", "i", false, "give it our standard input")
	fs.BoolVarP(&f.TTY, "tty", "t", false, "give it a terminal")
	fs.BoolVarP(&f.detach, "detach", "d", false, "do not wait for it")
	fs.StringVar(&f.detachKeys, "detach-keys", terminal.DefaultDetachKeys, "the `keys` that leave it running")
	list(fs, &f.env, "env,e", "NAME=VALUE", "set a variable: NAME=VALUE", parseEnv)
	fs.StringArrayVar(&f.envFiles, "env-file", nil, "read variables from a `file`")
	fs.StringVarP(&f.User, "user", "u", "", "run as `NAME|UID[:GROUP|GID]`")
	fs.StringVarP(&f.WorkingDir, "workdir", "w", "", "the working `directory`")
	fs.BoolVar(&f.Privileged, "privileged", false, "with all capabilities")
	return cmd
}

func (a *app) exec(cmd *cobra.Command, args []string, f *execFlags) error {
	f.Ahead, f.Final = engine.LookAhead(), true
	e, err := a.engine(cmd.Context())
	if err != nil {
		return err
	}
	c, err := e.GetForExec(args[0])
	if err != nil {
		return err
	}
	f.Args = args[1:]
	if f.Env, err = environment(f.envFiles, f.env); err != nil {
		return err
	}
	keys, err := terminal.ParseKeys(f.detachKeys)
	if err != nil {
		return &usageError{err}
	}
	if f.detach {
		return a.execDetached(e, c, f)
	}
	if f.interactive {
		f.Stdin = os.Stdin
	}
	f.Stdout, f.Stderr = os.Stdout, os.Stderr
	if !f.TTY {
		return a.execPlain(e, c, f)
	}
	return a.execTerminal(e, c, f, keys)
}

// failed says why the process did not start. A working directory or a user that
// is not there is the user's mistake, and none of the engine's.
func (f *execFlags) failed(err error) error {
	var broken *step.Error
	if errors.As(err, &broken) && broken.Step.Name == process.EnterStep && f.WorkingDir != "" {
		return &exitError{codeRefused, fmt.Errorf("enter the working directory %s in the container: %w", f.WorkingDir, broken.Errno())}
	}
	var user *engine.UserError
	if errors.As(err, &user) {
		return &exitError{codeRefused, err}
	}
	return execError(f.Args[0], err)
}

// execDetached does not wait for the process. A terminal of its own needs
// somebody who holds the other side when we have gone.
func (a *app) execDetached(e *engine.Engine, c *engine.Container, f *execFlags) error {
	x, err := e.Exec(c, f.ExecOptions)
	if err != nil {
		return f.failed(err)
	}
	if x.Console != nil {
		return e.Leave(c, x)
	}
	return nil
}

// execPlain gives the process our own standard descriptors: nothing passes
// through this program.
func (a *app) execPlain(e *engine.Engine, c *engine.Container, f *execFlags) error {
	forward := forwardSignals()
	x, err := e.Exec(c, f.ExecOptions)
	if err != nil {
		return f.failed(err)
	}
	var asked client.Asked
	forward(func(sig os.Signal) {
		_ = x.Signal(sig)
		if asked.Enough(sig) {
			os.Exit(a.complain(nil, client.ErrForced)) // the process does not listen, and Wait cannot be called off
		}
	})
	code, err := x.Wait()
	if err != nil {
		return err
	}
	return exit(code)
}

var errNoTTY = errors.New("standard input is not a terminal: leave out -t, or -i")

// execTerminal joins the user's terminal and the process's.
func (a *app) execTerminal(e *engine.Engine, c *engine.Container, f *execFlags, keys []byte) error {
	if f.interactive && !terminal.IsTerminal(os.Stdin) {
		return errNoTTY
	}
	f.Size, _ = terminal.SizeOf(os.Stdout)
	forward := forwardSignals()
	x, err := e.Exec(c, f.ExecOptions)
	if err != nil {
		return f.failed(err)
	}
	forward(func(sig os.Signal) { _ = x.Signal(sig) })
	left, err := a.joinTerminals(x.Console, f.interactive, keys)
	if err != nil {
		return err
	}
	if left {
		if err := e.Leave(c, x); err != nil {
			return err
		}
		return errLeft
	}
	code, err := x.Wait()
	if err != nil {
		return err
	}
	return exit(code)
}

// parseEnv reads an -e value.
func parseEnv(s string) (string, error) { return config.ParseEnv(s, os.LookupEnv) }

// environment reads env files, and adds -e values.
func environment(files, values []string) ([]string, error) {
	var env []string
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read --env-file: %w", err)
		}
		list, err := config.ParseEnvFile(f, os.LookupEnv)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("--env-file %s: %w", path, err)
		}
		env = append(env, list...)
	}
	return append(env, values...), nil
}
