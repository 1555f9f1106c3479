package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// What docker has and minictr does not yet is refused by name, never ignored:
// a container that quietly lacks a health check is worse than none.

// unsupported is a flag of docker's that is still to come.
type unsupported struct{ name string }

func (u unsupported) String() string     { return "" }
func (u unsupported) Type() string       { return "" }
func (u unsupported) Set(s string) error { return fmt.Errorf("not supported yet") }

// refuse adds hidden flags that refuse to be set. Names that end with "!" take
// no value.
func refuse(fs *pflag.FlagSet, names string) {
	for name := range strings.FieldsSeq(names) {
		name, isBool := strings.CutSuffix(name, "!")
		f := fs.VarPF(unsupported{name}, name, "", "not supported yet")
		f.Hidden = true
		if isBool {
			f.NoOptDefVal = "true"
		}
	}
}

// flagError turns pflag's error about such a flag into a plain sentence.
func flagError(_ *cobra.Command, err error) error {
	text := err.Error()
	if _, after, ok := strings.Cut(text, `for "`); ok && strings.HasSuffix(text, "flag: not supported yet") {
		name, _, _ := strings.Cut(after, `"`)
		err = fmt.Errorf("%s is not supported yet", name)
	}
	return &usageError{err}
}

// dockerCommands are those of docker's commands that are still to come.
var dockerCommands = set(`
	attach build commit compose cp diff events export history login logout network pause plugin push restart save search
	secret service stack stats swarm top unpause update container.attach container.commit container.cp container.diff
	container.export container.pause container.prune container.restart container.stats container.top container.unpause
	container.update image.build image.history image.prune image.push image.save volume.update system.df system.events
	system.prune buildx builder checkpoint config context manifest node trust`)

func set(names string) map[string]bool {
	all := make(map[string]bool)
	for name := range strings.FieldsSeq(names) {
		all["minictr "+strings.ReplaceAll(name, ".", " ")] = true
	}
	return all
}
