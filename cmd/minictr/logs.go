package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/logging"
)

func newLogs(a *app) *cobra.Command {
	o := engine.LogOptions{Tail: -1}
	var timestamps bool
	cmd := &cobra.Command{
		Use:   "logs [OPTIONS] CONTAINER",
		Short: "Show what a container has printed",
		Long: `Show what a container has printed: its shim keeps both streams in a file of
JSON lines (minictr inspect -f '{{.LogPath}}'), in docker's format.`,
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
			return e.Logs(cmd.Context(), c, o, func(m logging.Message) error { return a.printLog(m, timestamps) })
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&o.Follow, "follow", "f", false, "go on until the container ends")
	fs.BoolVarP(&timestamps, "timestamps", "t", false, "print when each line came")
	flag(fs, &o.Tail, "tail,n", "lines", "only so many lines from the end (all)", parseTail)
	flag(fs, &o.Since, "since", "time", "only what came since: 2006-01-02T15:04:05Z, or 10m for ten minutes ago", parseTime)
	flag(fs, &o.Until, "until", "time", "only what came until then", parseTime)
	refuse(fs, "details!")
	return cmd
}

func parseTail(s string) (int, error) {
	if s == "all" {
		return -1, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("want a number of lines, or all")
	}
	return n, nil
}

// parseTime reads a time, a Unix time, or a span of time before now.
func parseTime(s string) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return time.Now().Add(-d), nil
	}
	if seconds, err := strconv.ParseFloat(s, 64); err == nil {
		return time.Unix(0, int64(seconds*1e9)), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("want a time such as 2006-01-02T15:04:05, or a span such as 10m")
}

// timeFormat is RFC 3339 with all nine digits, as docker prints it.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

func (a *app) printLog(m logging.Message, timestamps bool) error {
	w := a.out
	if m.Stream == logging.Stderr {
		w = a.err
	}
	if timestamps {
		m.Text = m.Time.UTC().Format(timeFormat) + " " + m.Text
	}
	_, err := io.WriteString(w, m.Text)
	return err
}
