package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"minictr/pkg/engine/config"
	"minictr/pkg/volume"
)

func newVolumeCreate(a *app) *cobra.Command {
	var labels []string
	cmd := &cobra.Command{
		Use:     "create [OPTIONS] [VOLUME]",
		Short:   "Make a volume",
		Example: `  minictr volume create data`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			want := volume.Volume{}
			if len(args) == 1 {
				want.Name = args[0]
			}
			for _, l := range labels {
				if want.Labels == nil {
					want.Labels = make(map[string]string)
				}
				if err := config.ParseLabel(want.Labels, l); err != nil {
					return err
				}
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
	fs.StringArrayVar(&labels, "label", nil, "remember `KEY=VALUE` with it")
	add(fs, "driver,d", "name", "local (the only one)", only("local"))
	refuse(fs, "opt availability cluster-volume! group limit-bytes required-bytes scope secret sharing topology-preferred topology-required type")
	return cmd
}

// volumeRow has docker's names for what a template may ask for.
type volumeRow struct{ Driver, Name, Mountpoint, Scope string }

func newVolumeLs(a *app) *cobra.Command {
	var quiet bool
	var format string
	cmd := &cobra.Command{
		Use:     "ls [OPTIONS]",
		Aliases: []string{"list"},
		Short:   "List volumes",
		Example: `  minictr volume ls -q`,
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			list, err := e.Volumes.List()
			if err != nil {
				return err
			}
			var rows []volumeRow
			var lines [][]string
			for _, v := range list {
				if quiet {
					fmt.Fprintln(a.out, v.Name)
				}
				rows = append(rows, volumeRow{"local", v.Name, v.Data, "local"})
				lines = append(lines, []string{"local", v.Name})
			}
			switch {
			case quiet:
				return nil
			case format != "" && format != "table":
				return formatted(a.out, format, headers{"Driver": "DRIVER", "Name": "VOLUME NAME", "Mountpoint": "MOUNTPOINT", "Scope": "SCOPE"}, rows)
			}
			return table(a.out, []string{"DRIVER", "VOLUME NAME"}, lines)
		},
	}
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "print names only")
	cmd.Flags().StringVar(&format, "format", "", "json, or a Go `template` such as '{{.Name}}'")
	refuse(cmd.Flags(), "filter cluster!")
	return cmd
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
				err := e.Volumes.Remove(name, e.VolumeUsers)
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
