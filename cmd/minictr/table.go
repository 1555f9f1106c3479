package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"

	"github.com/docker/go-units"
)

// table prints rows in columns as docker does: at least ten wide, three
// spaces between them.
func table(w io.Writer, header []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 10, 1, 3, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// formatted prints each item by a --format: "json" for one object a line, else
// a Go template ("table …" gets a tabwriter).
func formatted[T any](w io.Writer, format string, items []T) error {
	if format == "json" {
		for _, item := range items {
			b, err := json.Marshal(item)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s\n", b)
		}
		return nil
	}
	body, isTable := strings.CutPrefix(format, "table ")
	body = strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(body)
	tmpl, err := template.New("format").Funcs(templateFuncs).Parse(body)
	if err != nil {
		return &usageError{fmt.Errorf("invalid --format: %w", err)}
	}
	t := tabwriter.NewWriter(w, 10, 1, 3, ' ', 0)
	var out io.Writer = w
	if isTable {
		out = t
		fmt.Fprintln(t, tableHeader(body))
	}
	for _, item := range items {
		text, err := execute(tmpl, item)
		if err != nil {
			return &usageError{fmt.Errorf("invalid --format: %w", err)}
		}
		fmt.Fprintln(out, text)
	}
	return t.Flush()
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
		err = json.Unmarshal(raw, &fields)
	}
	if err == nil {
		b.Reset()
		err = tmpl.Option("missingkey=error").Execute(&b, fields)
	}
	if err != nil {
		return "", first
	}
	return b.String(), nil
}

// tableHeader names the columns of "{{.ID}}\t{{.Names}}" as docker does.
func tableHeader(body string) string {
	columns := strings.Split(body, "\t")
	for i, c := range columns {
		name := strings.Trim(c, "{}. ")
		if title, ok := columnTitles[name]; ok {
			name = title
		}
		columns[i] = strings.ToUpper(name)
	}
	return strings.Join(columns, "\t")
}

var columnTitles = map[string]string{"ID": "container id", "RunningFor": "created", "CreatedSince": "created"}

var templateFuncs = template.FuncMap{
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	"join":  strings.Join,
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"split": strings.Split,
}

// ago is how docker tells a time: "2 minutes ago".
func ago(t time.Time) string { return units.HumanDuration(time.Since(t)) + " ago" }

// shorten cuts s to n characters, the last of them an ellipsis.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
