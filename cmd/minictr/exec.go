package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
	"minictr/pkg/process"
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
	fs.StringArrayVarP(&f.env, "env", "e", nil, "set a variable: `NAME=VALUE`")
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
		_, err := e.Exec(c, f.ExecOptions)
		return f.failed(err)
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

// execPlain gives the process our own standard descriptors: nothing passes
// through this program.
func (a *app) execPlain(e *engine.Engine, c *engine.Container, f *execFlags) error {
	forward := forwardSignals()
	x, err := e.Exec(c, f.ExecOptions)
	if err != nil {
		return f.failed(err)
	}
	forward(func(sig os.Signal) { _ = x.Signal(sig) })
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
		fmt.Fprintln(a.err, "read escape sequence")
		return e.Leave(c, x)
	}
	code, err := x.Wait()
	if err != nil {
		return err
	}
	return exit(code)
}

// environment reads -e values and env files.
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
	for _, s := range values {
		v, err := config.ParseEnv(s, os.LookupEnv)
		if err != nil {
			return nil, err
		}
		env = append(env, v)
	}
	return env, nil
}
