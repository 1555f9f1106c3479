package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"minictr/pkg/engine"
)

type statsFlags struct {
	all, noStream, noTrunc bool
	format                 string
}

func newStats(a *app) *cobra.Command {
	var f statsFlags
	cmd := &cobra.Command{
		Use:   "stats [OPTIONS] [CONTAINER...]",
		Short: "Show what containers use, live",
		Long: `Show the processor time, memory, network and disk traffic that containers use,
again every second until Ctrl-C, or once with --no-stream.

The numbers are those of the container's cgroups and of its network namespace;
MEM USAGE is without what the kernel could drop at once. Fields of a template:
.Container .ID .Name .CPUPerc .MemUsage .MemPerc .NetIO .BlockIO .PIDs`,
		Example: `  minictr stats
  minictr stats --no-stream --format 'table {{.Name}}\t{{.MemUsage}}' web`,
		ValidArgsFunction: a.completeRunning,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.stats(cmd.Context(), args, f) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.all, "all", "a", false, "also containers that do not run")
	fs.BoolVar(&f.noStream, "no-stream", false, "print once and end")
	fs.BoolVar(&f.noTrunc, "no-trunc", false, "print IDs in full length")
	fs.StringVar(&f.format, "format", "", "table, json, 'table TEMPLATE', or a Go `template` such as '{{.Name}} {{.CPUPerc}}'")
	return cmd
}

var statsList = listing{
	titles: headers{
		"Container": "CONTAINER", "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %", "MemUsage": "MEM USAGE / LIMIT",
		"MemPerc": "MEM %", "NetIO": "NET I/O", "BlockIO": "BLOCK I/O", "PIDs": "PIDS",
	},
	table: "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
}

// statsRow has docker's names for what a template may ask for.
type statsRow struct {
	BlockIO   string
	CPUPerc   string
	Container string
	ID        string
	MemPerc   string
	MemUsage  string
	Name      string
	NetIO     string
	PIDs      string
}

const (
	statsEvery = time.Second
	statsOnce  = 500 * time.Millisecond // between the two looks that a percentage takes
)

func (a *app) stats(ctx context.Context, refs []string, f statsFlags) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, unix.SIGTERM)
	defer stop()
	e, err := a.engine(ctx)
	if err != nil {
		return err
	}
	for _, ref := range refs { // what is missing is told before anything is printed
		if _, err := e.Get(ref); err != nil {
			return err
		}
	}
	before, err := usages(e, refs, f.all)
	if err != nil {
		return err
	}
	for pause := statsOnce; ; pause = statsEvery {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		now, err := usages(e, refs, f.all)
		if err != nil {
			return err
		}
		if !f.noStream {
			fmt.Fprint(a.out, "\033[2J\033[H") // clear the screen, go to its corner
		}
		rows := make([]statsRow, len(now))
		for i, u := range now {
			rows[i] = u.row(before, !f.noTrunc)
		}
		if err := printRows(a, statsList, f.format, false, rows); err != nil || f.noStream {
			return err
		}
		before = now
	}
}

// usage is what one container uses.
type usage struct {
	ref string // as it was named on the command line, else the ID
	c   *engine.Container
	engine.Usage
}

// usages takes the numbers of the containers named, or of all.
func usages(e *engine.Engine, refs []string, all bool) ([]usage, error) {
	var list []usage
	if len(refs) == 0 {
		found, err := e.List()
		if err != nil {
			return nil, err
		}
		for _, c := range slices.Backward(found) { // docker has the oldest first here
			if all || c.Running() {
				list = append(list, usage{ref: c.ID, c: c})
			}
		}
	}
	for _, ref := range refs {
		c, err := e.Get(ref)
		if notFound(err) { // removed meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, usage{ref: ref, c: c})
	}
	for i := range list {
		u, err := e.Usage(list[i].c)
		if err != nil && len(refs) > 0 {
			return nil, err // else its row is zeros: one damaged container must not hide the others
		}
		list[i].Usage = u
	}
	return list, nil
}

func (u usage) row(before []usage, truncate bool) statsRow {
	id := u.c.ID
	if truncate {
		id = u.c.ShortID()
	}
	percent := 0.0
	if i := slices.IndexFunc(before, func(b usage) bool { return b.c.ID == u.c.ID }); i >= 0 {
		percent = u.CPUPercent(before[i].Usage)
	}
	read, written := u.Transferred()
	return statsRow{
		Container: u.ref, ID: id, Name: u.c.Name,
		CPUPerc:  fmt.Sprintf("%.2f%%", percent),
		MemUsage: units.BytesSize(float64(u.Memory.Working())) + " / " + units.BytesSize(float64(u.Memory.Limit)),
		MemPerc:  fmt.Sprintf("%.2f%%", u.MemoryPercent()),
		NetIO:    size(int64(u.Received)) + " / " + size(int64(u.Sent)),
		BlockIO:  size(int64(read)) + " / " + size(int64(written)),
		PIDs:     strconv.FormatUint(u.Pids.Current, 10),
	}
}
