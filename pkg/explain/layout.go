package explain

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Layout of long lines: what one look cannot take is shortened with "…", and
// what is longer than the screen is continued on the next line.

// Bounds of what is shown of one argument. A literal keeps its end, because
// paths differ there.
const (
	literalHead, literalTail = 40, 24
	listRoom                 = 240
)

// clean makes s fit for a terminal: control characters, which could move the
// cursor or change colours, are written as escapes.
func clean(s string) string {
	if strings.IndexFunc(s, isControl) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isControl(r) {
			fmt.Fprintf(&b, `\x%02x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError }

// units splits a printed call into pieces that stay whole: a string literal, a
// bracket, a separator with its space, or one character.
func units(s string) []string {
	var all []string
	for len(s) > 0 {
		n := 1
		switch {
		case s[0] == '"':
			n = literalLen(s)
		case strings.HasPrefix(s, ", "):
			n = 2
		default:
			_, n = utf8.DecodeRuneInString(s)
		}
		all = append(all, s[:n])
		s = s[n:]
	}
	return all
}

// literalLen is the length of the string literal that s begins with; one that
// does not end takes all of s.
func literalLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// shorten replaces the middle of long string literals, and what is left of
// long lists, structures and messages, with "…".
func shorten(call string) string {
	var b strings.Builder
	depth, room, skipped := 0, 0, false
	for i, u := range units(call) {
		if u[0] == '"' {
			u = shortenLiteral(u)
		}
		open, shut := u == "[" || u == "{", u == "]" || u == "}"
		if shut && depth > 0 {
			depth--
		}
		if open && depth == 0 {
			room, skipped = listRoom, false
		}
		full := (depth > 0 || shut) && room < 0
		switch {
		case !full || shut && depth == 0:
			b.WriteString(u)
		case !skipped && i > 0:
			b.WriteString("…")
			skipped = true
		}
		room -= utf8.RuneCountInString(u)
		if open {
			depth++
		}
	}
	return b.String()
}

// shortenLiteral keeps head and tail of a string literal, never half an escape.
func shortenLiteral(u string) string {
	if len(u) <= literalHead+literalTail+8 {
		return u
	}
	parts := escapes(u)
	if len(parts) <= literalHead+literalTail+8 {
		return u
	}
	return strings.Join(parts[:literalHead], "") + "…" + strings.Join(parts[len(parts)-literalTail:], "")
}

// escapes splits a literal into characters, an escape sequence being one.
func escapes(u string) []string {
	var all []string
	for i := 0; i < len(u); {
		n := 1
		if u[i] == '\\' && i+1 < len(u) {
			n = 2
			for isOctal(u[i+1]) && n < 4 && i+n < len(u) && isOctal(u[i+n]) {
				n++
			}
		}
		all = append(all, u[i:i+n])
		i += n
	}
	return all
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

// wrap breaks a printed call into lines of at most width columns, after a comma
// or a "|" and before the result, never inside a string literal: a literal that
// is longer than the line is left to the terminal.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, piece := range pieces(s) {
		if line != "" && utf8.RuneCountInString(strings.TrimRight(line+piece, " ")) > width {
			lines = append(lines, strings.TrimRight(line, " "))
			line = ""
		}
		line += piece
	}
	return append(lines, strings.TrimRight(line, " "))
}

// pieces splits s where a line may break.
func pieces(s string) []string {
	var all []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			all = append(all, b.String())
			b.Reset()
		}
	}
	result := ""
	if i := strings.LastIndex(s, ") = "); i >= 0 && strings.IndexByte(s[i:], '"') < 0 {
		s, result = s[:i+2], s[i+2:]
	}
	for _, u := range units(s) {
		b.WriteString(u)
		if u == ", " || u == "|" || u == " " {
			flush()
		}
	}
	flush()
	if result != "" {
		all = append(all, result)
	}
	return all
}

// words breaks prose into lines of at most width columns.
func words(s string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
