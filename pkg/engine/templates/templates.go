// Package templates holds docker's functions for templates, besides Go's own: for
// --format, and for the tags of logs.
package templates

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/template"
	"unicode"
)

// Funcs are those functions.
var Funcs = template.FuncMap{
	"json":     JSON,
	"join":     join,
	"lower":    strings.ToLower,
	"upper":    strings.ToUpper,
	"title":    title,
	"split":    strings.Split,
	"pad":      pad,
	"truncate": truncate,
}

// JSON is v as docker prints it: <, > and & as they are.
func JSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// join joins a list of anything.
func join(list any, separator string) (string, error) {
	switch l := list.(type) {
	case []string:
		return strings.Join(l, separator), nil
	case []any:
		words := make([]string, len(l))
		for i, v := range l {
			words[i] = fmt.Sprint(v)
		}
		return strings.Join(words, separator), nil
	case nil:
		return "", nil
	}
	return "", fmt.Errorf("join wants a list, not %T", list)
}

// title begins every word with a capital letter. A word begins after whatever is
// no letter, digit or underscore.
func title(s string) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		inside := unicode.IsLetter(before) || unicode.IsDigit(before) || before == '_'
		if before = r; inside {
			return r
		}
		return unicode.ToTitle(r)
	}, s)
}

// pad puts spaces around what is not empty.
func pad(s string, before, after int) string {
	if s == "" {
		return s
	}
	return strings.Repeat(" ", max(0, before)) + s + strings.Repeat(" ", max(0, after))
}

func truncate(s string, n int) string {
	if r := []rune(s); n >= 0 && len(r) > n {
		return string(r[:n])
	}
	return s
}
