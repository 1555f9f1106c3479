package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// flags reads options as runc does: -x and --x alike, before or after the
// arguments.
type flags struct {
	*flag.FlagSet
	args   string // what follows the options, for the help text
	text   string // a help text that is written by hand
	helped bool
}

func newFlags(name, args string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), args: args}
	f.SetOutput(io.Discard)
	f.Usage = func() {} // not after every mistake
	return f
}

func (f *flags) help() {
	if f.text != "" {
		fmt.Print(f.text)
		return
	}
	fmt.Printf("NAME:\n   minictr-oci %s - %s\n\nUSAGE:\n   minictr-oci %s [OPTION…] %s\n\nOPTIONS:\n", f.Name(), about[f.Name()], f.Name(), f.args)
	f.VisitAll(func(o *flag.Flag) {
		dashes := "--"
		if len(o.Name) == 1 {
			dashes = "-"
		}
		value, usage := flag.UnquoteUsage(o)
		fmt.Printf("  %-28s %s\n", dashes+o.Name+" "+value, usage)
	})
}

// about says in a few words what each command does.
var about = map[string]string{
	"create":   "make the container, stop before its program",
	"start":    "run the program of a created container",
	"run":      "create, start, wait and delete",
	"exec":     "run one more process in a container",
	"state":    "print a container's state as JSON",
	"kill":     "send a container a signal, TERM if none is named",
	"delete":   "remove a container",
	"ps":       "list a container's processes",
	"list":     "list all containers",
	"pause":    "stop all processes of a container for a while",
	"resume":   "let them go on",
	"update":   "change a container's limits",
	"events":   "print what a container uses",
	"spec":     "write an example config.json",
	"features": "print what this runtime can do",

	"checkpoint": "not supported: write a container's memory to disk",
	"restore":    "not supported: read it back",
}

// first reads options up to the first argument and returns the rest.
func (f *flags) first(args []string) ([]string, error) {
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		f.helped = true
		f.help()
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w (try --help)", f.Name(), err)
	}
	return f.Args(), nil
}

// all reads options wherever they stand and returns the arguments; n is how
// many there may be at least and at most.
func (f *flags) all(args []string, least, most int) ([]string, error) {
	var plain []string
	for {
		rest, err := f.first(args)
		if err != nil || f.helped {
			return nil, err
		}
		if len(rest) == 0 {
			break
		}
		if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
			plain = append(plain, rest...)
			break
		}
		plain, args = append(plain, rest[0]), rest[1:]
	}
	switch {
	case len(plain) < least && least == most:
		return nil, fmt.Errorf("minictr-oci: %q requires exactly %d argument(s)", f.Name(), least)
	case len(plain) < least:
		return nil, fmt.Errorf("minictr-oci: %q requires a minimum of %d argument(s)", f.Name(), least)
	case len(plain) > most:
		return nil, fmt.Errorf("minictr-oci: %q requires a maximum of %d argument(s)", f.Name(), most)
	}
	return plain, nil
}

// two defines an option under its long and its one-letter name.
func (f *flags) two(v flag.Value, name, letter, usage string) {
	f.Var(v, name, usage)
	f.Var(v, letter, "")
}

func (f *flags) stringBoth(name, letter, value, usage string) *string {
	s := f.String(name, value, usage)
	f.StringVar(s, letter, value, "as --"+name)
	return s
}

func (f *flags) boolBoth(name, letter, usage string) *bool {
	b := f.Bool(name, false, usage)
	f.BoolVar(b, letter, false, "as --"+name)
	return b
}

// list is an option that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
