package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/logging"
)

func newLogs(a *app) *cobra.Command {
	o := engine.LogOptions{Tail: -1}
	var timestamps, details bool
	cmd := &cobra.Command{
		Use:   "logs [OPTIONS] CONTAINER",
		Short: "Show what a container has printed",
		Long: `Show what a container has printed: its shim keeps both streams in a file of
JSON lines (minictr inspect -f '{{.LogPath}}'), in docker's format. Of what goes to
journald or syslog a copy is kept to be shown here, in at most 5 files of 20 MB
(--log-opt cache-max-file, cache-max-size, cache-compress), or none
(--log-opt cache-disabled=true).`,
		Example: `  minictr logs --tail 20 web
  minictr logs -f --since 5m web`,
		Args:              exactly(1, "one container"),
		ValidArgsFunction: completeFirst(a.completeAny),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			c, err := e.Get(args[0])
			if err != nil {
				return err
			}
			return e.Logs(cmd.Context(), c, o, a.logPrinter(c, timestamps, details))
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.Follow, "follow", "f", false, "go on until the container ends")
	fs.BoolVarP(&timestamps, "timestamps", "t", false, "print when each line came")
	flag(fs, &o.Tail, "tail,n", "lines", "only so many lines from the end (all)", parseTail)
	flag(fs, &o.Since, "since", "time", "only what came since: 2006-01-02T15:04:05Z, or 10m for ten minutes ago", timeFlag)
	flag(fs, &o.Until, "until", "time", "only what came until then", untilFlag)
	fs.BoolVar(&details, "details", false, "print the labels and variables that --log-opt names, too")
	return cmd
}

func parseTail(s string) (int, error) {
	if s == "all" || s == "" {
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("want a number of lines, or all")
	}
	return n, nil
}

// timeFlag reads a flag's moment; a script's empty variable is none.
func timeFlag(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return engine.ParseTime(s, time.Now())
}

// untilFlag is timeFlag for an end, where 0 is none too.
func untilFlag(s string) (time.Time, error) {
	if s == "0" {
		return time.Time{}, nil
	}
	return timeFlag(s)
}

// timeFormat is RFC 3339 with all nine digits, as docker prints it.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// logPrinter prints entries of a log, each to the stream it came from. An entry
// is a line, or a part of a long one: what stands in front of lines is printed
// where one begins.
func (a *app) logPrinter(c *engine.Container, timestamps, details bool) func(logging.Message) error {
	extra := ""
	if details {
		extra = c.LogDetails() + " "
	}
	within := make(map[string]bool) // the middle of a line, by stream
	return func(m logging.Message) error {
		w := a.out
		if m.Stream == logging.Stderr {
			w = a.err
		}
		front := extra
		if timestamps {
			front = m.Time.UTC().Format(timeFormat) + " " + front
		}
		if within[m.Stream] {
			front = ""
		}
		within[m.Stream] = !strings.HasSuffix(m.Text, "\n")
		_, err := io.WriteString(w, front+m.Text)
		return err
	}
}
