package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
	"minictr/pkg/network"
	"minictr/pkg/record"
)

func newPs(a *app) *cobra.Command {
	f := psFlags{last: -1}
	cmd := &cobra.Command{
		Use:   "ps [OPTIONS]",
		Short: "List containers",
		Long: `List containers: those that run, or with -a all of them.

The records are files below MINICTR_ROOT/containers, one directory a container;
what ps prints can be read there with cat.

Filters (several keys must all agree): id (its beginning), name (a regular
expression), label, status, exited, ancestor, before, since, volume, network,
publish, expose, health. Fields of a template: .ID .Names .Image .Command
.CreatedAt .RunningFor .Ports .State .Status .Size .Labels .Label "key" .Mounts
.LocalVolumes .Networks .Platform`,
		Example: `  minictr ps -a                  all, also those that have ended
  minictr ps -q | xargs minictr stop
  minictr ps -a -f status=exited -f label=app=shop
  minictr ps --format 'table {{.Names}}\t{{.Status}}'`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.ps(cmd, f) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.all, "all", "a", false, "also those that do not run")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print IDs only")
	fs.BoolVar(&f.noTrunc, "no-trunc", false, "print everything in full length")
	fs.IntVarP(&f.last, "last", "n", -1, "only the `n` newest, running or not")
	fs.BoolVarP(&f.latest, "latest", "l", false, "only the newest, running or not")
	fs.BoolVarP(&f.size, "size", "s", false, "also how much they have written")
	fs.StringVar(&f.format, "format", "", "table, json, 'table TEMPLATE', or a Go `template` such as '{{.ID}} {{.Names}}'")
	addFilter(fs, &f.filters, "only containers with `KEY=VALUE`, such as status=exited")
	return cmd
}

type psFlags struct {
	all, quiet, noTrunc, latest, size bool
	last                              int
	format                            string
	filters                           engine.Filters
}

// psList is the table of ps; with -s it has a column more.
var psList = listing{
	titles: headers{
		"ID": "CONTAINER ID", "Names": "NAMES", "Image": "IMAGE", "Command": "COMMAND", "CreatedAt": "CREATED AT",
		"RunningFor": "CREATED", "Ports": "PORTS", "State": "STATE", "Status": "STATUS", "Size": "SIZE", "Labels": "LABELS",
		"Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS", "Platform": "PLATFORM",
	},
	table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}",
	quiet: "{{.ID}}",
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
	if list, err = f.choose(e, list); err != nil {
		return err
	}
	l := psList
	if f.size {
		l.table += "\t{{.Size}}"
	}
	sized := f.size || strings.Contains(f.format, ".Size")
	words, err := imageWords(e.Images, list)
	if err != nil {
		return err
	}
	rows := make([]psRow, len(list))
	for i, c := range list {
		rows[i] = newPsRow(e, c, words[c], !f.noTrunc)
		if sized && !f.quiet {
			if rows[i].Size, err = sizeOf(e, c); err != nil {
				return err
			}
		}
	}
	return printRows(a, l, f.format, f.quiet, rows)
}

// choose applies the filters, and what the flags say about who is shown. As
// with docker, to ask for a status is to ask for all.
func (f *psFlags) choose(e *engine.Engine, list []*engine.Container) ([]*engine.Container, error) {
	list, err := e.Select(list, f.filters)
	if err != nil {
		return nil, err
	}
	if f.latest && f.last < 0 {
		f.last = 1
	}
	switch {
	case f.last > 0:
		return list[:min(f.last, len(list))], nil
	case f.all || len(f.filters["status"]) > 0:
		return list, nil
	}
	return slices.DeleteFunc(list, func(c *engine.Container) bool { return !active(c) }), nil
}

// active tells whether ps shows a container without being asked for all.
func active(c *engine.Container) bool { return c.Running() || c.State.Status == "restarting" }

func sizeOf(e *engine.Engine, c *engine.Container) (string, error) {
	rw, root, err := e.Size(c)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s (virtual %s)", size(rw), size(root)), nil
}

// psRow has docker's names for what a template may ask for.
type psRow struct {
	Command      string
	CreatedAt    string
	ID           string
	Image        string
	Labels       string
	LocalVolumes string
	Mounts       string
	Names        string
	Networks     string
	Platform     string
	Ports        string
	RunningFor   string
	Size         string
	State        string
	Status       string

	labels map[string]string
}

// Label is the value of one label.
func (r psRow) Label(key string) string { return r.labels[key] }

func newPsRow(e *engine.Engine, c *engine.Container, image string, truncate bool) psRow {
	id, command := c.ID, commandLine(c.Args)
	if truncate {
		id, command, image = c.ShortID(), shorten(command, 20), shortImage(image)
	}
	r := psRow{
		Command: strconv.Quote(command), CreatedAt: clock(c.Created), ID: id, Image: image, Names: c.Name, Size: "0B",
		Networks: strings.Join(c.NetworkNames(), ","), Platform: c.Config.Platform, Ports: portsOf(e.Ports(c)),
		RunningFor: ago(c.Created), State: string(c.State.Status), Status: statusOf(c.State), labels: c.Labels(),
	}
	r.Labels = pairsOf(r.labels)
	var mounts []string
	for _, m := range c.Mounts {
		source := m.Source
		if truncate {
			source = shorten(source, 15)
		}
		mounts = append(mounts, source)
	}
	r.Mounts, r.LocalVolumes = strings.Join(mounts, ","), strconv.Itoa(localVolumes(c))
	return r
}

// commandLine is a command in one line, as docker shows it: arguments with
// spaces in them stand between quotes.
func commandLine(args []string) string {
	var b strings.Builder
	for i, arg := range args {
		switch {
		case i == 0:
			b.WriteString(arg)
		case strings.Contains(arg, " "):
			b.WriteString(" '" + arg + "'")
		default:
			b.WriteString(" " + arg)
		}
	}
	return b.String()
}

func localVolumes(c *engine.Container) (n int) {
	for _, m := range c.Mounts {
		if m.Type == config.Volume {
			n++
		}
	}
	return n
}

// pairsOf prints labels: a=1,b=2.
func pairsOf(labels map[string]string) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, key+"="+labels[key])
	}
	return strings.Join(list, ",")
}

// statusOf is the STATUS column.
func statusOf(s record.State) string {
	switch s.Status {
	case record.Running:
		return "Up " + units.HumanDuration(time.Since(s.StartedAt)) + healthOf(s.Health)
	case record.Restarting:
		return fmt.Sprintf("Restarting (%d) %s", s.ExitCode, ago(s.FinishedAt))
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

// healthOf is what the STATUS column has behind the time.
func healthOf(h *record.Health) string {
	switch {
	case h == nil:
		return ""
	case h.Status == "starting":
		return " (health: starting)"
	}
	return " (" + h.Status + ")"
}

// portsOf is the PORTS column. Neighbours that lead to neighbours are one range.
func portsOf(ports []network.PortMapping) string {
	ports = slices.Clone(ports)
	slices.SortFunc(ports, func(a, b network.PortMapping) int {
		return strings.Compare(portOrder(a), portOrder(b))
	})
	ports = slices.Compact(ports)
	var list []string
	for i := 0; i < len(ports); {
		n := 1
		for i+n < len(ports) && follows(ports[i], ports[i+n], uint16(n)) {
			n++
		}
		list = append(list, portRange(ports[i], uint16(n-1)))
		i += n
	}
	return strings.Join(list, ", ")
}

func portOrder(p network.PortMapping) string {
	return fmt.Sprintf("%t %s %s %05d %05d", p.HostPort == 0, p.Protocol, p.HostIP, p.ContainerPort, p.HostPort)
}

// follows tells whether b is n ports behind a, on both sides.
func follows(a, b network.PortMapping, n uint16) bool {
	host := a.HostPort == 0 && b.HostPort == 0 || a.HostPort != 0 && b.HostPort == a.HostPort+n
	return host && a.Protocol == b.Protocol && a.HostIP == b.HostIP && b.ContainerPort == a.ContainerPort+n
}

// portRange prints p and the ports up to the more-th behind it.
func portRange(p network.PortMapping, more uint16) string {
	span := func(port uint16) string {
		if more == 0 {
			return strconv.Itoa(int(port))
		}
		return fmt.Sprintf("%d-%d", port, port+more)
	}
	text := span(p.ContainerPort) + "/" + string(p.Protocol)
	if p.HostPort == 0 {
		return text
	}
	return fmt.Sprintf("%s:%s->%s", p.HostIP, span(p.HostPort), text)
}
