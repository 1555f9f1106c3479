package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Report is everything the doctor found, in the order of the groups.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Finding is the answer to one question.
type Finding struct {
	Group       string `json:"group"`
	Name        string `json:"name"`
	Level       Level  `json:"level"`
	Found       string `json:"found"`
	Consequence string `json:"consequence,omitempty"` // what will not work
	Fix         string `json:"fix,omitempty"`
}

// Level says how good a finding is.
type Level string

// The levels. Only Missing keeps containers from running.
const (
	OK      Level = "ok"
	Info    Level = "info"    // neither good nor bad
	Warn    Level = "warn"    // something will not work, or not as well as it could
	Missing Level = "missing" // something necessary
	Untried Level = "untried" // not enough rights to find out
)

// OK reports whether containers can run here: nothing necessary is missing.
func (r Report) OK() bool { return r.count(Missing) == 0 }

func (r Report) count(l Level) (n int) {
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// JSON prints the report as one JSON object.
func (r Report) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		OK bool `json:"ok"`
		Report
	}{r.OK(), r})
}

// Style is how a report is printed.
type Style struct {
	Width int  // columns; 0: never wrap
	Color bool // ANSI colours
}

// inks are the colours of the levels.
var inks = map[Level]string{OK: "32", Info: "36", Warn: "33", Missing: "1;31", Untried: "2"}

func (st Style) in(ink, s string) string {
	if !st.Color {
		return s
	}
	return "\x1b[" + ink + "m" + s + "\x1b[0m"
}

// Columns of the table.
const (
	levelWidth = 8
	nameWidth  = 17
	indent     = 2 + levelWidth + 1 + nameWidth + 1
)

// Write prints the report for people: a table by groups, each bad finding with
// its consequence and the fix, and a verdict.
func (r Report) Write(w io.Writer, st Style) error {
	var b strings.Builder
	group := ""
	for _, f := range r.Findings {
		if f.Group != group {
			group = f.Group
			fmt.Fprintln(&b, st.in("1", group))
		}
		f.write(&b, st)
	}
	fmt.Fprintln(&b, r.verdict(st))
	_, err := io.WriteString(w, b.String())
	return err
}

func (f Finding) write(b *strings.Builder, st Style) {
	head := "  " + st.in(inks[f.Level], fmt.Sprintf("%-*s", levelWidth, f.Level)) + " " + fmt.Sprintf("%-*s ", nameWidth, f.Name)
	for _, l := range wrap(clean(f.Found), st.Width-indent) {
		fmt.Fprintln(b, strings.TrimRight(head+l, " "))
		head = strings.Repeat(" ", indent)
	}
	for _, s := range []struct{ label, text string }{{"→ ", f.Consequence}, {"fix: ", f.Fix}} {
		if s.text == "" {
			continue
		}
		label := s.label
		for _, l := range wrap(clean(s.text), st.Width-indent-utf8.RuneCountInString(s.label)) {
			fmt.Fprintln(b, strings.Repeat(" ", indent)+st.in("2", label)+l)
			label = strings.Repeat(" ", utf8.RuneCountInString(s.label))
		}
	}
}

func (r Report) verdict(st Style) string {
	missing, warnings, untried := r.count(Missing), r.count(Warn), r.count(Untried)
	s := st.in(inks[OK], "Containers can run here")
	if missing > 0 {
		s = st.in(inks[Missing], "Containers cannot run here: "+plural(missing, "thing is", "things are")+" missing")
	}
	var more []string
	if warnings > 0 {
		more = append(more, plural(warnings, "warning", "warnings"))
	}
	if untried > 0 {
		more = append(more, fmt.Sprintf("%d not tried", untried))
	}
	if len(more) > 0 {
		s += "; " + strings.Join(more, ", ")
	}
	return s + "."
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// clean keeps what files and other programs say from controlling the terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// wrap breaks text into lines of at most width columns; at least one line.
func wrap(s string, width int) []string {
	if width <= 0 {
		return []string{s}
	}
	lines := []string{""}
	for _, word := range strings.Fields(s) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}
