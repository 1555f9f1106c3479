package logging

import (
	"time"
	"unicode/utf8"
)

// The streams a container prints to. A terminal is all stdout.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// maxLine is where docker cuts long lines.
const maxLine = 16 << 10

// escapes holds what stands for an ASCII byte in docker's JSON, "" if that is
// the byte itself. Besides what JSON wants escaped docker escapes <, > and &.
var escapes = func() (table [utf8.RuneSelf]string) {
	const hex = "0123456789abcdef"
	for c := range table {
		switch {
		case c == '"' || c == '\\':
			table[c] = "\\" + string(rune(c))
		case c == '\n':
			table[c] = `\n`
		case c == '\r':
			table[c] = `\r`
		case c < ' ' || c == '<' || c == '>' || c == '&':
			table[c] = `\u00` + hex[c>>4:c>>4+1] + hex[c&0xf:c&0xf+1]
		}
	}
	return table
}()

// plain marks the bytes that stand for themselves: most of what is printed.
var plain = func() (table [256]bool) {
	for c := range table {
		table[c] = c < utf8.RuneSelf && escapes[c] == ""
	}
	return table
}()

// appendEntry appends one line of a json-file log: text, which stream, when.
// attrs, an object or nothing, and when are already in the file's form.
func appendEntry(b, text []byte, stream string, attrs, when []byte) []byte {
	b = append(b, '{')
	if len(text) > 0 {
		b = append(b, `"log":`...)
		b = appendString(b, text)
		b = append(b, ',')
	}
	b = append(b, `"stream":"`...)
	b = append(b, stream...)
	b = append(b, '"')
	if len(attrs) > 0 {
		b = append(b, `,"attrs":`...)
		b = append(b, attrs...)
	}
	b = append(b, `,"time":`...)
	b = append(b, when...)
	return append(b, '}', '\n')
}

// appendTime appends t as a JSON string, in UTC, to the nanosecond, without
// trailing zeros.
func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// appendString appends s as a JSON string.
func appendString(b, s []byte) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && plain[s[i]] {
			i++
		}
		if start < i {
			b = append(b, s[start:i]...)
		}
		for i < len(s) && !plain[s[i]] {
			if s[i] < utf8.RuneSelf {
				b = append(b, escapes[s[i]]...)
				i++
				continue
			}
			escape, n := escapeRune(s[i:])
			if escape == "" {
				b = append(b, s[i:i+n]...)
			}
			b = append(b, escape...)
			i += n
		}
	}
	return append(b, '"')
}

// escapeRune is escapes for the first rune of s, which has n bytes: what is no
// UTF-8 is replaced, and what ends a line to JavaScript is escaped.
func escapeRune(s []byte) (escape string, n int) {
	r, n := utf8.DecodeRune(s)
	switch {
	case r == utf8.RuneError && n == 1:
		return `\ufffd`, n
	case r == '\u2028':
		return `\u2028`, n
	case r == '\u2029':
		return `\u2029`, n
	}
	return "", n
}
