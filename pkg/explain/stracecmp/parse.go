package stracecmp

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Line is one system call in strace's log.
type Line struct {
	PID    int
	Name   string
	Args   []string
	Result string // "?" for a call that never returned
	Number int    // of the line at which it began, from 1
}

func (l Line) String() string {
	return fmt.Sprintf("%s(%s) = %s [process %d, line %d]", l.Name, strings.Join(l.Args, ", "), l.Result, l.PID, l.Number)
}

// Argv is the command that runs argv under strace with everything spelled out,
// and the log in file out.
func Argv(out string, argv ...string) []string {
	return append([]string{"strace", "-f", "-v", "-qq", "-a", "1", "-s", "4096", "-e", "signal=none", "-o", out, "--"}, argv...)
}

// Parse reads a log. Calls come in the order in which they began; one that was
// interrupted by other processes' lines is put together again. Lines that are
// no call (signals, exits) are left out.
func Parse(r io.Reader) ([]Line, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	var all []Line
	pending := make(map[int]int)   // pid → index in all
	halves := make(map[int]string) // pid → text so far
	for n := 1; lines.Scan(); n++ {
		pid, text := cutPID(lines.Text())
		if rest, ok := cutResumed(text); ok {
			i, known := pending[pid]
			if !known {
				return nil, fmt.Errorf("strace line %d resumes a call that nothing began: %s", n, text)
			}
			text = halves[pid] + rest
			delete(pending, pid)
			if l, ok := parseCall(text); ok {
				l.PID, l.Number = pid, all[i].Number
				all[i] = l
			}
			continue
		}
		if half, ok := strings.CutSuffix(text, "<unfinished ...>"); ok {
			half = strings.TrimSuffix(half, " ")
			l, _ := parseCall(half + ") = ?")
			l.PID, l.Number = pid, n
			pending[pid], halves[pid] = len(all), half
			all = append(all, l)
			continue
		}
		if l, ok := parseCall(text); ok {
			l.PID, l.Number = pid, n
			all = append(all, l)
		}
	}
	return all, lines.Err()
}

// cutPID takes the process id from the front of a line. A log of one process
// has none.
func cutPID(line string) (int, string) {
	if first, rest, ok := strings.Cut(line, " "); ok {
		if pid, err := strconv.Atoi(first); err == nil {
			return pid, strings.TrimLeft(rest, " ")
		}
	}
	return 0, line
}

// cutResumed finds what follows "<... mount resumed>".
func cutResumed(text string) (string, bool) {
	if !strings.HasPrefix(text, "<... ") {
		return "", false
	}
	_, rest, ok := strings.Cut(text, " resumed>")
	return rest, ok
}

// parseCall reads "name(args) = result".
func parseCall(text string) (Line, bool) {
	open := strings.IndexByte(text, '(')
	eq := strings.LastIndex(text, " = ")
	if open <= 0 || eq < open || strings.Trim(text[:open], "abcdefghijklmnopqrstuvwxyz_0123456789") != "" {
		return Line{}, false
	}
	args, ok := strings.CutSuffix(strings.TrimRight(text[open+1:eq], " "), ")")
	if !ok {
		return Line{}, false
	}
	return Line{Name: text[:open], Args: split(args), Result: strings.TrimSpace(text[eq+3:])}, true
}

// split divides arguments at the commas that stand in no string, list or
// structure.
func split(s string) []string {
	var all []string
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			i += literalLen(s[i:]) - 1
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				all = append(all, strings.TrimSpace(s[from:i]))
				from = i + 1
			}
		}
	}
	if last := strings.TrimSpace(s[from:]); last != "" || len(all) > 0 {
		all = append(all, last)
	}
	return all
}

// literalLen is the length of the string literal that s begins with.
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
