package main

import (
	"errors"

	"github.com/spf13/cobra"

	"minictr/pkg/record"
	"minictr/pkg/shim/client"
	"minictr/pkg/terminal"
)

// Docker's words for containers that nobody can attach to.
var (
	errAttachStopped = refusal("You cannot attach to a stopped container, start it first")
	errAttachPaused  = refusal("You cannot attach to a paused container, unpause it first")

	errAttachRestarting = refusal("You cannot attach to a restarting container, wait until it is running")
)

// errLeft is how attach and exec end when the detach keys were typed: with 1, as
// docker's, for what runs on has no exit code yet.
var errLeft = &exitError{codeClient, refusal("read escape sequence")}

// refusal is a sentence of docker's, told as it stands.
type refusal string

func (r refusal) Error() string { return string(r) }

func newAttach(a *app) *cobra.Command {
	var noStdin, sigProxy bool
	var detachKeys string
	cmd := &cobra.Command{
		Use:   "attach [OPTIONS] CONTAINER",
		Short: "Connect to a running container's input and output",
		Long: `Connect to a running container's input and output, until it ends or the detach
keys are typed. Several may be connected at once. Its exit code is this
command's.`,
		Example: `  minictr run -dit --name shell alpine sh
  minictr attach shell`,
		Args:              exactly(1, "one container"),
		ValidArgsFunction: a.completeRunning,
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			c, err := e.Get(args[0])
			if err != nil {
				return err
			}
			if !c.Running() {
				return errAttachStopped
			}
			switch c.State.Status {
			case record.Paused:
				return errAttachPaused
			case record.Restarting:
				return errAttachRestarting
			}
			streams, err := a.attachStreams(c, !noStdin, sigProxy, detachKeys)
			if err != nil {
				return err
			}
			session, err := e.Attach(cmd.Context(), c, streams)
			if err != nil {
				return err
			}
			if err := a.follow(cmd.Context(), session); !errors.Is(err, client.ErrDetached) {
				return err
			}
			return errLeft
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&noStdin, "no-stdin", false, "do not connect its input")
	fs.BoolVar(&sigProxy, "sig-proxy", true, "pass signals on to it")
	fs.StringVar(&detachKeys, "detach-keys", terminal.DefaultDetachKeys, "the `keys` that leave it running")
	return cmd
}
