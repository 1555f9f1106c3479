package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
	"minictr/pkg/secret"
)

func newSecretCreate(a *app) *cobra.Command {
	labels := make(map[string]string)
	cmd := &cobra.Command{
		Use:   "create [OPTIONS] NAME FILE|-",
		Short: "Keep a secret for containers, from a file or from standard input",
		Long: `Keep a secret for containers, from a file or, with -, from standard input. A
container that is run with --secret NAME finds it in /run/secrets/NAME, on a
file system in memory: it is in no image, layer, log or inspect.`,
		Example: `  minictr secret create db-password ./password.txt
  openssl rand -base64 24 | minictr secret create db-password -
  minictr run --secret db-password,mode=0400 alpine cat /run/secrets/db-password`,
		Args: exactly(2, "a name, and a file or -"),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readSecret(args[1])
			if err != nil {
				return err
			}
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			v, err := e.Secrets().Create(args[0], data, labels)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, v.ID)
			return nil
		},
	}
	add(cmd.Flags(), "label,l", "KEY=VALUE", "remember this with it", func(s string) error { return config.ParseLabel(labels, s) })
	refuse(cmd.Flags(), "driver template-driver")
	return cmd
}

// readSecret reads no more than a secret may have, and one byte to notice.
func readSecret(path string) ([]byte, error) {
	in := os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read the secret: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, secret.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the secret: %w", err)
	}
	return data, nil
}

// secretRow has docker's names for what a template may ask for.
type secretRow struct {
	ID, Name, Driver, CreatedAt, UpdatedAt, Labels string

	labels map[string]string
}

// Label is the value of one label.
func (r secretRow) Label(key string) string { return r.labels[key] }

var secretListing = listing{
	table: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.CreatedAt}}\t{{.UpdatedAt}}", quiet: "{{.ID}}",
	titles: headers{"ID": "ID", "Name": "NAME", "Driver": "DRIVER", "CreatedAt": "CREATED", "UpdatedAt": "UPDATED", "Labels": "LABELS"},
}

func newSecretLs(a *app) *cobra.Command {
	var quiet bool
	var format string
	var filters engine.Filters
	cmd := &cobra.Command{
		Use:     "ls [OPTIONS]",
		Aliases: []string{"list"},
		Short:   "List secrets",
		Example: `  minictr secret ls`,
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			list, err := e.SelectSecrets(filters)
			if err != nil {
				return err
			}
			var rows []secretRow
			for _, v := range list {
				rows = append(rows, secretRow{
					ID: v.ID, Name: v.Name, CreatedAt: ago(v.Created), UpdatedAt: ago(v.Created), Labels: labelText(v.Labels), labels: v.Labels,
				})
			}
			return printRows(a, secretListing, format, quiet, rows)
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&quiet, "quiet", "q", false, "print IDs only")
	fs.StringVar(&format, "format", "", "table, json, or a Go `template` such as '{{.Name}}'")
	addFilter(fs, &filters, "only secrets with `KEY=VALUE`: id, label, name")
	return cmd
}

func newSecretInspect(a *app) *cobra.Command {
	cmd := inspectCommand(a, "inspect [OPTIONS] SECRET...", "Show what may be known of secrets, as JSON: all but the secret",
		`  minictr secret inspect db-password`,
		func(e *engine.Engine, ref string, _ bool) (any, error) { return e.InspectSecret(ref) })
	refuse(cmd.Flags(), "pretty!")
	return cmd
}

func newSecretRm(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "rm SECRET...",
		Aliases: []string{"remove"},
		Short:   "Remove secrets",
		Long:    "Remove secrets. A secret that a container has, running or not, is not removed.",
		Example: `  minictr secret rm db-password`,
		Args:    atLeast(1, "at least one secret"),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := a.engine(cmd.Context())
			if err != nil {
				return err
			}
			return a.each(args, func(ref string) (string, error) { return ref, secretHint(e.RemoveSecret(ref)) })
		},
	}
}

func secretHint(err error) error {
	if errors.Is(err, secret.ErrInUse) {
		return &hinted{err, "'minictr ps -a' shows the containers; remove them first"}
	}
	return err
}
