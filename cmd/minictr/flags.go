package main

import (
	"strings"

	"github.com/spf13/pflag"

	"minictr/pkg/engine"
)

// value is a flag whose text means something: parse stores it, and says in its
// error what is wrong. So a wrong value is found while the flags are read, and
// the error names the flag.
type value struct {
	parse func(string) error
	kind  string // shown in the help text
	text  string // shown as the default
}

func (v *value) String() string { return v.text }
func (v *value) Type() string   { return v.kind }

func (v *value) Set(s string) error {
	if err := v.parse(s); err != nil {
		return err
	}
	v.text = s
	return nil
}

// flag adds a flag whose value parse reads into dst.
func flag[T any](fs *pflag.FlagSet, dst *T, names, kind, usage string, parse func(string) (T, error)) *pflag.Flag {
	return add(fs, names, kind, usage, func(s string) (err error) {
		*dst, err = parse(s)
		return err
	})
}

// list adds a flag that may be given several times.
func list[T any](fs *pflag.FlagSet, dst *[]T, names, kind, usage string, parse func(string) (T, error)) *pflag.Flag {
	return add(fs, names, kind, usage, func(s string) error {
		v, err := parse(s)
		if err == nil {
			*dst = append(*dst, v)
		}
		return err
	})
}

// verbatim is the parse of a text that is taken as it is.
func verbatim(s string) (string, error) { return s, nil }

// add adds a flag; names is "name" or "name,n".
func add(fs *pflag.FlagSet, names, kind, usage string, parse func(string) error) *pflag.Flag {
	name, short, _ := strings.Cut(names, ",")
	return fs.VarPF(&value{parse: parse, kind: kind}, name, short, usage)
}

// addFilter adds --filter, -f.
func addFilter(fs *pflag.FlagSet, dst *engine.Filters, usage string) {
	kind, usage := pflag.UnquoteUsage(&pflag.Flag{Usage: usage, Value: &value{kind: "KEY=VALUE"}})
	add(fs, "filter,f", kind, usage, dst.Add)
}
