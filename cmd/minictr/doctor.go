package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"minictr/pkg/doctor"
	"minictr/pkg/record"
)

func newDoctor(a *app) *cobra.Command {
	var json bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what this machine offers to containers, and what it lacks",
		Long: `Find out what this machine's kernel and configuration offer to containers, and
what they lack: what follows from it, and the fix. Each feature is tried, where
it hurts nobody, and nothing is left behind. Without root less can be tried.

The exit code is 0 if containers can run here, and 1 if something necessary is
missing.`,
		Example: `  sudo minictr doctor
  minictr doctor --json | jq '.findings[] | select(.level == "warn")'`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
			defer cancel()
			dirs, err := record.FromEnv()
			if err != nil {
				return err
			}
			report := doctor.Run(ctx, doctor.Options{Root: dirs.Root, Run: dirs.Run})
			print := report.JSON
			if !json {
				print = func(w io.Writer) error { return report.Write(w, doctorStyle(w)) }
			}
			if err := print(a.out); err != nil {
				return err
			}
			if !report.OK() {
				return exit(codeClient)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "print the findings as JSON")
	return cmd
}

func doctorStyle(w io.Writer) doctor.Style {
	style := styleFlags{}.of(w)
	return doctor.Style{Width: style.Width, Color: style.Color}
}
