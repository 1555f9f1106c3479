package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/network"
	"minictr/pkg/record"
)

func newPs(a *app) *cobra.Command {
	var f psFlags
	cmd := &cobra.Command{
		Use:   "ps [OPTIONS]",
		Short: "List containers",
		Long: `List containers: those that run, or with -a all of them.

The records are files below MINICTR_ROOT/containers, one directory a container;
what ps prints can be read there with cat.`,
		Example: `  minictr ps -a                  all, also those that have ended
  minictr ps -q | xargs minictr stop
  minictr ps --format '{{.Names}}\t{{.Status}}'`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.ps(cmd, f) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.all, "all", "a", false, "also those that do not run")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print IDs only")
	fs.BoolVar(&f.noTrunc, "no-trunc", false, "print everything in full length")
	fs.IntVarP(&f.last, "last", "n", -1, "only the `n` newest, running or not")
	fs.BoolVarP(&f.latest, "latest", "l", false, "only the newest, running or not")
	fs.StringVar(&f.format, "format", "", "json, or a Go `template` such as '{{.ID}} {{.Names}}'")
	refuse(fs, "filter size!")
	return cmd
}

type psFlags struct {
	all, quiet, noTrunc, latest bool
	last                        int
	format                      string
}

func (a *app) ps(cmd *cobra.Command, f psFlags) error {
	e, err := a.engine(cmd.Context())
	if err != nil {
		return err
	}
	list, err := e.List()
	if err != nil {
		return err
	}
	if f.latest {
		f.last = 1
	}
	if f.last >= 0 {
		list = list[:min(f.last, len(list))]
	} else if !f.all {
		list = slices.DeleteFunc(list, func(c *engine.Container) bool { return !c.Running() })
	}
	rows := make([]psRow, len(list))
	for i, c := range list {
		rows[i] = newPsRow(e, c, !f.noTrunc)
	}
	switch {
	case f.quiet:
		for _, r := range rows {
			fmt.Fprintln(a.out, r.ID)
		}
		return nil
	case f.format != "" && f.format != "table":
		return formatted(a.out, f.format, rows)
	}
	return psTable(a, rows)
}

func psTable(a *app, rows []psRow) error {
	header := []string{"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"}
	var lines [][]string
	for _, r := range rows {
		lines = append(lines, []string{r.ID, r.Image, r.Command, r.RunningFor, r.Status, r.Ports, r.Names})
	}
	return table(a.out, header, lines)
}

// psRow has docker's names for what a template may ask for.
type psRow struct {
	Command    string
	CreatedAt  string
	ID         string
	Image      string
	Labels     string
	Mounts     string
	Names      string
	Networks   string
	Ports      string
	RunningFor string
	State      string
	Status     string
}

func newPsRow(e *engine.Engine, c *engine.Container, truncate bool) psRow {
	id, command := c.ID, strconv.Quote(strings.Join(c.Args, " "))
	if truncate {
		id, command = c.ShortID(), strconv.Quote(shorten(strings.Join(c.Args, " "), 20))
	}
	var labels, mounts []string
	for key, value := range c.Config.Labels {
		labels = append(labels, key+"="+value)
	}
	slices.Sort(labels)
	for _, m := range c.Mounts {
		source := m.Source
		if truncate {
			source = shorten(source, 15)
		}
		mounts = append(mounts, source)
	}
	mode := c.Config.Mode
	if mode == "" || mode == "default" {
		mode = "bridge"
	}
	return psRow{
		Command: command, CreatedAt: c.Created.Local().Format("2006-01-02 15:04:05 -0700 MST"), ID: id, Image: c.Image.Name,
		Labels: strings.Join(labels, ","), Mounts: strings.Join(mounts, ","), Names: c.Name, Networks: mode,
		Ports: portsOf(e.Ports(c)), RunningFor: ago(c.Created), State: string(c.State.Status), Status: statusOf(c.State),
	}
}

// statusOf is the STATUS column.
func statusOf(s record.State) string {
	switch s.Status {
	case record.Running:
		return "Up " + units.HumanDuration(time.Since(s.StartedAt))
	case record.Paused:
		return "Up " + units.HumanDuration(time.Since(s.StartedAt)) + " (Paused)"
	case record.Exited:
		return fmt.Sprintf("Exited (%d) %s", s.ExitCode, ago(s.FinishedAt))
	case record.Dead:
		return "Dead"
	default:
		return "Created"
	}
}

// portsOf is the PORTS column.
func portsOf(ports []network.PortMapping) string {
	var list []string
	for _, p := range ports {
		if p.HostPort == 0 {
			list = append(list, fmt.Sprintf("%d/%s", p.ContainerPort, p.Protocol))
		} else {
			list = append(list, p.String())
		}
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ", ")
}
