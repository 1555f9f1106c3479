package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"minictr/pkg/engine"
	"minictr/pkg/engine/templates"
	"minictr/pkg/record"
)

func newEvents(a *app) *cobra.Command {
	var o engine.EventOptions
	var format string
	cmd := &cobra.Command{
		Use:   "events [OPTIONS]",
		Short: "Show what happens to containers, images and volumes, live",
		Long: `Show what happens to containers, images, volumes and networks, as it happens, until Ctrl-C
or the time of --until. There is no daemon that would tell: whoever does
something appends a line to a file (MINICTR_RUN/events), and that is followed.

Filters: container, event, image, label, network, type, volume. Fields of a
template: .Type .Action .Actor.ID .Actor.Attributes .Time .TimeNano .Scope`,
		Example: `  minictr events
  minictr events --since 10m --until 0s
  minictr events -f type=volume -f event=create
  minictr events -f event=die --format '{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}'`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.events(cmd.Context(), o, format) },
	}
	fs := cmd.Flags()
	flag(fs, &o.Since, "since", "time", "also what happened since: 2006-01-02T15:04:05Z, or 10m for ten minutes ago", timeFlag)
	flag(fs, &o.Until, "until", "time", "only what happens until then", timeFlag)
	fs.StringVar(&format, "format", "", "json, or a Go `template` such as '{{.Type}} {{.Action}}'")
	addFilter(fs, &o.Filters, "only events with `KEY=VALUE`, such as event=die")
	return cmd
}

// eventRow has docker's names for what a template may ask for.
type eventRow struct {
	record.Event
	TimeNano int64 `json:"-"`
}

func (a *app) events(ctx context.Context, o engine.EventOptions, format string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, unix.SIGTERM)
	defer stop()
	show := func(ev record.Event) (string, error) { return eventText(ev), nil }
	if format == "json" {
		show = func(ev record.Event) (string, error) { return templates.JSON(ev) }
	} else if format != "" {
		tmpl, err := parseTemplate(format)
		if err != nil {
			return err
		}
		show = func(ev record.Event) (string, error) { return eventByTemplate(tmpl, ev) }
	}
	e, err := a.engine(ctx)
	if err != nil {
		return err
	}
	return e.Events(ctx, o, func(ev record.Event) error {
		text, err := show(ev)
		if err == nil {
			_, err = fmt.Fprintln(a.out, text)
		}
		return err
	})
}

func eventByTemplate(tmpl *template.Template, ev record.Event) (string, error) {
	text, err := execute(tmpl, eventRow{ev, ev.Nano})
	if err != nil {
		return "", badFormat(err)
	}
	return text, nil
}

// eventText is docker's line: when, of what kind, what, to whom, and more.
func eventText(ev record.Event) string {
	text := time.Unix(0, ev.Nano).Format(timeFormat) + " " + ev.Type + " " + ev.Action + " " + ev.Actor.ID
	var more []string
	for _, key := range slices.Sorted(maps.Keys(ev.Actor.Attributes)) {
		more = append(more, key+"="+ev.Actor.Attributes[key])
	}
	if len(more) > 0 {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	return text
}
