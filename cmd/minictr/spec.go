package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type specFlags struct {
	containerFlags
	bundle string
}

func newSpec(a *app) *cobra.Command {
	var f specFlags
	cmd := &cobra.Command{
		Use:   "spec [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "Write an OCI bundle for any OCI runtime",
		Long: `Write what 'minictr run' with the same flags would run as an OCI bundle: a
directory with config.json and the image's files in rootfs. Every OCI runtime
runs it: minictr-oci, runc, crun. The bundle belongs to you; minictr does not
know of it afterwards.

A bundle has no engine around it: it has no network but a loopback of its own
(--network none, the default) or the host's (--network host), and directories of
the host (-v) instead of volumes.`,
		Example: `  minictr spec --bundle box alpine echo hello
  runc run --bundle box box1
  minictr spec -b shell -t -m 64m alpine sh`,
		Args: atLeast(1, "an image"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withCode(codeEngine, a.spec(cmd, args, &f))
		},
		ValidArgsFunction: completeFirst(a.completeImages),
	}
	fs := cmd.Flags()
	f.add(fs)
	fs.StringVarP(&f.bundle, "bundle", "b", ".", "the `directory` to write it to, made if it is missing")
	for name := range strings.FieldsSeq(engineFlags) {
		if flag := fs.Lookup(name); flag != nil {
			flag.Hidden = true
		}
	}
	return cmd
}

// engineFlags are about what an engine does with a container; a bundle has
// nobody who would do it.
const engineFlags = `name rm restart cidfile label label-file log-driver log-opt stop-signal stop-timeout publish publish-all
	expose volumes-from runtime secret health-cmd health-interval health-retries health-start-interval health-start-period
	health-timeout no-healthcheck`

func (a *app) spec(cmd *cobra.Command, args []string, f *specFlags) error {
	if err := refuseChanged(cmd.Flags()); err != nil {
		return err
	}
	if err := f.finish(cmd.Flags(), args); err != nil {
		return err
	}
	e, err := a.engine(cmd.Context())
	if err != nil {
		return err
	}
	options, done := a.imageOptions(&f.containerFlags)
	defer done()
	return e.WriteBundle(cmd.Context(), f.Config, f.bundle, options)
}

// refuseChanged names the first flag that only an engine can honour.
func refuseChanged(fs *pflag.FlagSet) error {
	for name := range strings.FieldsSeq(engineFlags) {
		if fs.Changed(name) {
			return &usageError{fmt.Errorf("--%s is an engine's business; a bundle has no engine: leave it out", name)}
		}
	}
	return nil
}
