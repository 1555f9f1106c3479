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

// appendEntry appends one line of a json-file log: text, which stream, when.
// when is already in the file's form, quotes included.
func appendEntry(b, text []byte, stream string, when []byte) []byte {
	b = append(b, '{')
	if len(text) > 0 {
		b = append(b, `"log":`...)
		b = appendString(b, text)
		b = append(b, ',')
	}
	b = append(b, `"stream":"`...)
	b = append(b, stream...)
	b = append(b, `","time":`...)
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
	start := 0 // of the bytes that stand for themselves and are not in b yet
	for i := 0; i < len(s); {
		escape, n := "", 1
		if c := s[i]; c < utf8.RuneSelf {
			escape = escapes[c]
		} else {
			escape, n = escapeRune(s[i:])
		}
		if escape != "" {
			if start < i {
				b = append(b, s[start:i]...)
			}
			b = append(b, escape...)
			start = i + n
		}
		i += n
	}
	b = append(b, s[start:]...)
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
