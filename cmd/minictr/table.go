package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"

	"github.com/docker/go-units"

	"minictr/pkg/engine/templates"
)

// listing is how a command prints rows, as docker's lists do: a table, rows by
// a template of the user's, or JSON.
type listing struct {
	titles headers // of the columns that a template may name
	table  string  // the usual table, as a template: "{{.ID}}\t{{.Names}}"
	quiet  string  // what -q prints of a row, as a template
}

// headers are column titles by what a template calls the column. The title row
// of a table is the template, filled in with these.
type headers map[string]string

// Label is the title of {{.Label "com.example.some-key"}}: some key.
func (h headers) Label(key string) string {
	last := key[strings.LastIndexByte(key, '.')+1:]
	return strings.NewReplacer("-", " ", "_", " ").Replace(last)
}

// printRows prints rows by --format, which may be "" or "table" for the usual
// table, "table TEMPLATE", "json", or a template. With --quiet it is ignored.
func printRows[T any](a *app, l listing, format string, quiet bool, rows []T) error {
	switch {
	case quiet:
		if format != "" {
			a.warn("--format is ignored, because --quiet is given too")
		}
		format = l.quiet
	case format == "" || format == "table":
		format = "table " + l.table
	}
	return formatted(a.out, format, l.titles, rows)
}

// table prints rows in columns as docker does: at least ten wide, three
// spaces between them.
func table(w io.Writer, header []string, rows [][]string) error {
	t := newTable(w)
	for _, row := range append([][]string{header}, rows...) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 10, 1, 3, ' ', 0) }

// formatted prints each item by a --format: "json" for one object a line, else
// a Go template ("table …" gets columns and titles). A tabwriter writes cell by
// cell, so a buffer makes one system call of thousands.
func formatted[T any](w io.Writer, format string, titles headers, items []T) error {
	b := bufio.NewWriter(w)
	err := formatInto(b, format, titles, items)
	if flushed := b.Flush(); err == nil {
		err = flushed
	}
	return err
}

func formatInto[T any](w io.Writer, format string, titles headers, items []T) error {
	if format == "json" {
		return jsonLines(w, items)
	}
	body, isTable := strings.CutPrefix(format, "table")
	if isTable {
		body = strings.Trim(body, " ")
	}
	tmpl, err := parseTemplate(body)
	if err != nil {
		return err
	}
	t := newTable(w)
	out := w
	if isTable {
		out = t
		if err := printTitles(t, body, titles); err != nil {
			return err
		}
	}
	for _, item := range items {
		text, err := execute(tmpl, item)
		if err != nil {
			return badFormat(err)
		}
		fmt.Fprintln(out, text)
	}
	return t.Flush()
}

func jsonLines[T any](w io.Writer, items []T) error {
	for _, item := range items {
		text, err := templates.JSON(item)
		if err != nil {
			return err
		}
		fmt.Fprintln(w, text)
	}
	return nil
}

func parseTemplate(body string) (*template.Template, error) {
	body = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(body)
	tmpl, err := template.New("").Funcs(templates.Funcs).Parse(body)
	if err != nil {
		return nil, badFormat(err)
	}
	return tmpl, nil
}

func badFormat(err error) error {
	return &exitError{codeClient, &usageError{fmt.Errorf("invalid --format: %w", err)}}
}

// printTitles fills in the template with titles in place of values. Functions
// in it are of no concern: {{json .Names}} is still the column NAMES.
func printTitles(w io.Writer, body string, titles headers) error {
	body = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(body)
	tmpl, err := template.New("").Funcs(titleFuncs).Parse(body)
	if err != nil {
		return badFormat(err)
	}
	var b strings.Builder
	_ = tmpl.Execute(&b, titles) // no title is a list: what there is up to there is the row
	_, err = fmt.Fprintln(w, strings.ReplaceAll(b.String(), "<no value>", ""))
	return err
}

// execute fills in a template, by the names of Go's fields or by those of the
// JSON form: docker takes {{.ID}} and {{.Id}}.
func execute(tmpl *template.Template, item any) (string, error) {
	var b strings.Builder
	first := tmpl.Execute(&b, item)
	if first == nil {
		return b.String(), nil
	}
	raw, err := json.Marshal(item)
	var fields any
	if err == nil {
		decoder := json.NewDecoder(strings.NewReader(string(raw)))
		decoder.UseNumber() // 67108864 and not 6.7108864e+07
		err = decoder.Decode(&fields)
	}
	if err == nil {
		b.Reset()
		err = tmpl.Option("missingkey=error").Execute(&b, fields)
	}
	switch {
	case err == nil:
		return b.String(), nil
	case strings.Contains(err.Error(), "map has no entry"):
		return "", err // by the JSON form's names it got at least as far
	}
	return "", first
}

// titleFuncs stand for templates.Funcs in the title row.
var titleFuncs = template.FuncMap{
	"json": same, "join": sameFirst, "lower": same, "upper": same, "title": same, "split": sameFirst,
	"pad": func(s string, _, _ int) string { return s }, "truncate": func(s string, _ int) string { return s },
}

func same(v any) any                { return v }
func sameFirst(v any, _ string) any { return v }

// ago is how docker tells a time: "2 minutes ago".
func ago(t time.Time) string { return units.HumanDuration(time.Since(t)) + " ago" }

// shorten cuts s to n characters, the last of them an ellipsis.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// clock is how docker's lists print a moment.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 -0700 MST") }

// size is how docker prints bytes: 1.2MB, in powers of ten.
func size(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }
