package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"minictr/pkg/engine"
)

func newHistory(a *app) *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history [OPTIONS] IMAGE",
		Short: "Show how an image was made",
		Long: `Show how an image was made: the last step first, and how large the layer is that
it added. An image brings its history along as text; the images between its
steps are not here, so they are <missing>.

Fields of a template: .ID .CreatedSince .CreatedAt .CreatedBy .Size .Comment`,
		Example: `  minictr history alpine
  minictr history --no-trunc --format '{{.CreatedBy}}' alpine`,
		Args:              exactly(1, "one image"),
		ValidArgsFunction: completeFirst(a.completeImages),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.history(cmd, args[0], f) },
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.human, "human", "H", true, "sizes and times for people; with =false bytes and dates")
	fs.BoolVar(&f.noTrunc, "no-trunc", false, "print everything in full length")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print IDs only")
	fs.StringVar(&f.format, "format", "", "table, json, or a Go `template` such as '{{.CreatedBy}}'")
	refuse(fs, "platform")
	return cmd
}

type historyFlags struct {
	human, noTrunc, quiet bool
	format                string
}

// historyRow has docker's names for what a template may ask for.
type historyRow struct{ Comment, CreatedAt, CreatedBy, CreatedSince, ID, Size string }

var historyList = listing{
	titles: headers{
		"ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY", "Size": "SIZE", "Comment": "COMMENT",
	},
	table: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
	quiet: "{{.ID}}",
}

func (a *app) history(cmd *cobra.Command, ref string, f historyFlags) error {
	e, err := a.engine(cmd.Context())
	if err != nil {
		return err
	}
	steps, err := e.History(ref)
	if err != nil {
		return err
	}
	var rows []historyRow
	for _, s := range steps {
		rows = append(rows, f.row(s))
	}
	return printRows(a, historyList, f.format, f.quiet, rows)
}

func (f historyFlags) row(s engine.HistoryEntry) historyRow {
	r := historyRow{
		Comment: s.Comment, CreatedBy: strings.ReplaceAll(s.CreatedBy, "\t", " "), ID: "<missing>",
		CreatedAt: s.Created.Local().Format(time.RFC3339), CreatedSince: ago(s.Created), Size: size(s.Size),
	}
	if s.Created.IsZero() {
		r.CreatedAt, r.CreatedSince = "N/A", "N/A"
	}
	if s.ID != "" {
		r.ID = s.ID
	}
	if !f.human {
		r.CreatedSince, r.Size = r.CreatedAt, strconv.FormatInt(s.Size, 10)
	}
	if !f.noTrunc {
		r.CreatedBy = shorten(r.CreatedBy, 45)
		if s.ID != "" {
			r.ID = strings.TrimPrefix(s.ID, "sha256:")[:12]
		}
	}
	return r
}
