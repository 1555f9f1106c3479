package main

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
	"minictr/pkg/volume"
)

func newVolumeCreate(a *app) *cobra.Command {
	want := volume.Volume{}
	cmd := &cobra.Command{
		Use:   "create [OPTIONS] [VOLUME]",
		Short: "Make a volume",
		Long: `Make a volume: a directory that outlives the containers that use it. With -o
it stands for something else, which each container mounts for itself.`,
		Example: `  minictr volume create data
  minictr volume create -o type=none -o o=bind -o device=/srv/data data
  minictr volume create -o type=nfs -o device=:/export -o o=addr=192.0.2.7,ro docs`,
		Args: atMost(1, "at most one name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				want.Name = args[0]
			}
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			v, err := e.CreateVolume(want)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, v.Name)
			return nil
		},
	}
	fs := cmd.Flags()
	add(fs, "label", "KEY=VALUE", "remember this with it", func(s string) error {
		if want.Labels == nil {
			want.Labels = make(map[string]string)
		}
		return config.ParseLabel(want.Labels, s)
	})
	add(fs, "opt,o", "KEY=VALUE", "what it stands for: type, device and o, as for mount(8)", func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return errors.New("want KEY=VALUE")
		}
		if want.Options == nil {
			want.Options = make(map[string]string)
		}
		want.Options[key] = value
		return nil
	})
	add(fs, "driver,d", "name", "local (the only one)", only("local"))
	refuse(fs, "availability group limit-bytes required-bytes scope secret sharing topology-preferred topology-required type")
	return cmd
}

// volumeRow has docker's names for what a template may ask for.
type volumeRow struct {
	Availability, Driver, Group, Labels, Links, Mountpoint, Name, Scope, Size, Status string

	labels map[string]string
}

// Label is the value of one label.
func (r volumeRow) Label(key string) string { return r.labels[key] }

func newVolumeRow(v engine.VolumeEntry) volumeRow {
	return volumeRow{
		Availability: "N/A", Driver: "local", Group: "N/A", Labels: labelText(v.Labels), Links: "N/A",
		Mountpoint: v.Data, Name: v.Name, Scope: "local", Size: "N/A", Status: "N/A", labels: v.Labels,
	}
}

var volumeListing = listing{
	table: "{{.Driver}}\t{{.Name}}", quiet: "{{.Name}}",
	titles: headers{
		"Driver": "DRIVER", "Name": "VOLUME NAME", "Mountpoint": "MOUNTPOINT", "Scope": "SCOPE", "Labels": "LABELS",
		"Links": "LINKS", "Size": "SIZE", "Availability": "AVAILABILITY", "Group": "GROUP", "Status": "STATUS",
	},
}

func newVolumeLs(a *app) *cobra.Command {
	var quiet bool
	var format string
	var filters engine.Filters
	cmd := &cobra.Command{
		Use:     "ls [OPTIONS]",
		Aliases: []string{"list"},
		Short:   "List volumes",
		Example: `  minictr volume ls -q
  minictr volume ls -f dangling=true`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			list, err := e.SelectVolumes(filters)
			if err != nil {
				return err
			}
			var rows []volumeRow
			for _, v := range list {
				rows = append(rows, newVolumeRow(v))
			}
			return printRows(a, volumeListing, format, quiet, rows)
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&quiet, "quiet", "q", false, "print names only")
	fs.StringVar(&format, "format", "", "table, json, or a Go `template` such as '{{.Name}}'")
	addFilter(fs, &filters, "only volumes with `KEY=VALUE`: dangling, driver, label, name")
	refuse(fs, "cluster!")
	return cmd
}

func labelText(labels map[string]string) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, key+"="+labels[key])
	}
	return strings.Join(list, ",")
}

func newVolumeRm(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "rm [OPTIONS] VOLUME...",
		Aliases: []string{"remove"},
		Short:   "Remove volumes, with their data",
		Long:    "Remove volumes, with their data. A volume that a container has is not removed.",
		Example: `  minictr volume rm data`,
		Args:    atLeast(1, "at least one volume"),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			return a.each(args, func(name string) (string, error) {
				err := e.RemoveVolume(name)
				if force && errors.Is(err, volume.ErrNotFound) {
					err = nil
				}
				return name, err
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "none of that name is no error")
	return cmd
}

func newVolumePrune(a *app) *cobra.Command {
	var all, force bool
	var filters engine.Filters
	cmd := &cobra.Command{
		Use:   "prune [OPTIONS]",
		Short: "Remove volumes that no container has",
		Long: `Remove volumes that no container has, with their data: those that were made for
a container and have no name of their own, and with -a the others too.`,
		Example: `  minictr volume prune
  minictr volume prune -af --filter label!=keep`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			which := "anonymous local volumes"
			if all {
				which = "all local volumes"
			}
			if !force && !a.sure("This will remove "+which+" not used by at least one container.") {
				return nil
			}
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			removed, bytes, err := e.PruneVolumes(filters, all)
			if len(removed) > 0 {
				fmt.Fprintf(a.out, "Deleted Volumes:\n%s\n\n", strings.Join(removed, "\n"))
			}
			if err == nil {
				fmt.Fprintf(a.out, "Total reclaimed space: %s\n", size(bytes))
			}
			return err
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&all, "all", "a", false, "also those with a name of their own")
	fs.BoolVarP(&force, "force", "f", false, "do not ask")
	add(fs, "filter", "KEY=VALUE", "only volumes with label=KEY[=VALUE], or without: label!=…", filters.Add)
	return cmd
}

// sure asks the user; whoever cannot be asked has not said yes.
func (a *app) sure(warning string) bool {
	fmt.Fprintf(a.out, "WARNING! %s\nAre you sure you want to continue? [y/N] ", warning)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
