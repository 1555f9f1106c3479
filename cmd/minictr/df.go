package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
)

func newSystemDf(a *app) *cobra.Command {
	var verbose bool
	var format string
	cmd := &cobra.Command{
		Use:   "df [OPTIONS]",
		Short: "Show what lies on the disk, and what could go",
		Long: `Show how much images, containers and volumes take on the disk, and how much of
that nobody needs at the moment. A layer counts once, however many images share
it.`,
		Example: `  minictr system df
  minictr system df -v`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			u, err := e.DiskUsage()
			if err != nil {
				return err
			}
			switch {
			case verbose && format != "" && format != "table":
				details, err := dfDetails(e, u)
				if err != nil {
					return err
				}
				return formatted(a.out, format, nil, []dfAll{details})
			case verbose:
				return a.printUsage(u)
			}
			return printRows(a, dfList, format, false, dfRows(u))
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "each image, container and volume")
	cmd.Flags().StringVar(&format, "format", "", "table, json, or a Go `template` such as '{{.Type}} {{.Size}}'")
	return cmd
}

var dfList = listing{
	titles: headers{"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"},
	table:  "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
}

// dfRow has docker's names for what a template may ask for.
type dfRow struct{ Active, Reclaimable, Size, TotalCount, Type string }

func newDfRow(kind string, total, active int, bytes, free int64) dfRow {
	reclaimable := size(free)
	if bytes > 0 {
		reclaimable = fmt.Sprintf("%s (%d%%)", reclaimable, free*100/bytes)
	}
	return dfRow{strconv.Itoa(active), reclaimable, size(bytes), strconv.Itoa(total), kind}
}

func dfRows(u *engine.DiskUsage) []dfRow {
	active := 0
	for _, i := range u.Images {
		active += min(i.Containers, 1)
	}
	rows := []dfRow{newDfRow("Images", len(u.Images), active, u.LayersSize, u.LayersSize-u.LayersUsed)}
	var all, free int64
	active = 0
	for _, c := range u.Containers {
		if all += c.Written; c.Running() {
			active++
		} else {
			free += c.Written
		}
	}
	rows = append(rows, newDfRow("Containers", len(u.Containers), active, all, free))
	all, free, active = 0, 0, 0
	for _, v := range u.Volumes {
		if all += v.Size; v.Links > 0 {
			active++
		} else {
			free += v.Size
		}
	}
	return append(rows, newDfRow("Local Volumes", len(u.Volumes), active, all, free), newDfRow("Build Cache", 0, 0, 0, 0))
}

// dfAll is what a template of df -v may ask for: rows as those of images, ps and
// volume ls, with their sizes.
type dfAll struct {
	Images     []imageRow
	Containers []psRow
	Volumes    []volumeRow
	BuildCache []string
}

func dfDetails(e *engine.Engine, u *engine.DiskUsage) (dfAll, error) {
	all := dfAll{Images: []imageRow{}, Containers: []psRow{}, Volumes: []volumeRow{}, BuildCache: []string{}}
	for _, i := range u.Images {
		rows, err := imageRows(i.Image, false)
		if err != nil {
			return all, err
		}
		for _, r := range rows {
			r.SharedSize, r.UniqueSize, r.Containers = size(i.Shared), size(i.Size-i.Shared), strconv.Itoa(i.Containers)
			all.Images = append(all.Images, r)
		}
	}
	var list []*engine.Container
	for _, c := range u.Containers {
		list = append(list, c.Container)
	}
	words, err := imageWords(e.Images, list)
	if err != nil {
		return all, err
	}
	for _, c := range u.Containers {
		r := newPsRow(e, c.Container, words[c.Container], false)
		r.Size = size(c.Written)
		all.Containers = append(all.Containers, r)
	}
	for _, v := range u.Volumes {
		r := newVolumeRow(v.VolumeEntry)
		r.Links, r.Size = strconv.Itoa(v.Links), size(v.Size)
		all.Volumes = append(all.Volumes, r)
	}
	return all, nil
}

// printUsage is df -v.
func (a *app) printUsage(u *engine.DiskUsage) error {
	fmt.Fprintf(a.out, "Images space usage:\n\n")
	var rows [][]string
	for _, i := range u.Images {
		repository, tag := "<none>", "<none>"
		if len(i.Names) > 0 {
			repository, tag = i.Names[0].FamiliarRepository(), i.Names[0].Tag
		}
		rows = append(rows, []string{
			repository, tag, i.ShortID(), ago(i.Created), size(i.Size), size(i.Shared), size(i.Size - i.Shared), strconv.Itoa(i.Containers),
		})
	}
	titles := strings.Split("REPOSITORY,TAG,IMAGE ID,CREATED,SIZE,SHARED SIZE,UNIQUE SIZE,CONTAINERS", ",")
	if err := table(a.out, titles, rows); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\nContainers space usage:\n\n")
	rows = nil
	for _, c := range u.Containers {
		command := strconv.Quote(shorten(commandLine(c.Args), 20))
		rows = append(rows, []string{
			c.ShortID(), c.Image.Name, command, strconv.Itoa(localVolumes(c.Container)), size(c.Written), ago(c.Created), statusOf(c.State), c.Name,
		})
	}
	titles = strings.Split("CONTAINER ID,IMAGE,COMMAND,LOCAL VOLUMES,SIZE,CREATED,STATUS,NAMES", ",")
	if err := table(a.out, titles, rows); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\nLocal Volumes space usage:\n\n")
	rows = nil
	for _, v := range u.Volumes {
		rows = append(rows, []string{v.Name, strconv.Itoa(v.Links), size(v.Size)})
	}
	return table(a.out, []string{"VOLUME NAME", "LINKS", "SIZE"}, rows)
}
