package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What docker has and minictr does not yet is refused by name, never ignored:
// a container that quietly lacks a health check is worse than none.

// errUnsupported is what such a flag, or such a value of a flag, says.
var errUnsupported = errors.New("not supported yet")

// unsupported is a flag of docker's that is still to come, or, with a reason,
// one that will not.
type unsupported struct{ name, why string }

func (u unsupported) String() string { return "" }
func (u unsupported) Type() string   { return "" }

func (u unsupported) Set(string) error {
	if u.why != "" {
		return errors.New(u.why)
	}
	return errUnsupported
}

// only accepts these values of a flag.
func only(values ...string) func(string) error {
	return func(s string) error {
		if !slices.Contains(values, s) {
			return errUnsupported
		}
		return nil
	}
}

// refuse adds hidden flags that refuse to be set. Names that end with "!" take
// no value, a letter for short stands behind a comma: "link,l!".
func refuse(fs *pflag.FlagSet, names string) { refuseBecause(fs, names, "") }

// refuseBecause is refuse for flags that there is a reason not to have, or a
// way around.
func refuseBecause(fs *pflag.FlagSet, names, why string) {
	for name := range strings.FieldsSeq(names) {
		name, isBool := strings.CutSuffix(name, "!")
		name, short, _ := strings.Cut(name, ",")
		f := fs.VarPF(unsupported{name, why}, name, short, "not supported")
		f.Hidden = true
		if isBool {
			f.NoOptDefVal = "true"
		}
	}
}

// flagError says which flag is wrong, and why, in one short sentence.
func flagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return &usageError{err}
	}
	f, cause := invalid.GetFlag(), invalid.Unwrap()
	var number *strconv.NumError
	_, hidden := f.Value.(unsupported)
	switch {
	case hidden && errors.Is(cause, errUnsupported):
		err = fmt.Errorf("--%s is %w", f.Name, errUnsupported)
	case hidden:
		err = fmt.Errorf("--%s is not supported: %w", f.Name, cause)
	case errors.Is(cause, errUnsupported):
		err = fmt.Errorf("--%s %s is %w", f.Name, invalid.GetValue(), errUnsupported)
	case errors.As(cause, &number):
		err = fmt.Errorf("--%s: %q is no %s", f.Name, invalid.GetValue(), kinds[f.Value.Type()])
	default:
		err = fmt.Errorf("--%s: %w", f.Name, cause)
	}
	if err = error(&usageError{err}); !hidden && judged[f.Name] && cmd.Name() != "run" && cmd.Name() != "create" {
		return &exitError{codeClient, err}
	}
	return err
}

// judged are flags whose values docker's command line passes on for its daemon
// to judge. What the daemon refuses has another exit code than a command line
// that makes no sense, except where a container was to be made.
var judged = map[string]bool{"signal": true, "since": true, "until": true, "restart": true, "type": true, "detach-keys": true}

// kinds are words for pflag's types.
var kinds = map[string]string{
	"int": "number", "int64": "number", "uint64": "positive number", "bool": "truth value (true or false)",
}

// dockerCommands are those of docker's commands that are still to come.
var dockerCommands = set(`
	build compose login logout network plugin push search service stack swarm
	image.build image.push volume.update
	buildx builder checkpoint config context manifest node trust`)

func set(names string) map[string]bool {
	all := make(map[string]bool)
	for name := range strings.FieldsSeq(names) {
		all["minictr "+strings.ReplaceAll(name, ".", " ")] = true
	}
	return all
}
