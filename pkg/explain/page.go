package explain

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"minictr/pkg/step"
)

// Indents of what stands below a step's head line, and of a call's further
// lines.
const (
	whyIndent  = "      "
	callIndent = "      "
	moreIndent = "    "
)

// page is text under way, in one style.
type page struct {
	strings.Builder
	st Style
}

func (p *page) line(s string) {
	p.WriteString(s)
	p.WriteByte('\n')
}

// head prints a step's number, name, side and chapter on one line.
func (p *page) head(i int, name string, side step.Side, chapter, verb string) {
	number := fmt.Sprint(i + 1)
	if p.st.Steps > 0 {
		number = fmt.Sprintf("%*d/%d", len(fmt.Sprint(p.st.Steps)), i+1, p.st.Steps)
	}
	left := fmt.Sprintf("%5s %s%s", number, verb, clean(name))
	right := side.String()
	if chapter != "" {
		right += " · " + clean(chapter)
	}
	gap := 2
	if p.st.Width > 0 {
		gap = max(gap, p.st.Width-utf8.RuneCountInString(left)-utf8.RuneCountInString(right))
	}
	p.line(p.st.in(bold, left) + strings.Repeat(" ", gap) + p.st.in(sideInk(side), right))
}

func sideInk(s step.Side) ink {
	if s == step.Host {
		return yellow
	}
	return cyan
}

func (p *page) why(why string) {
	for _, l := range words(clean(why), p.st.width()-len(whyIndent)) {
		p.line(whyIndent + p.st.in(dim, l))
	}
}

// call prints a call with a remark behind it (a duration, a condition), and its
// shell command below it.
func (p *page) call(text, remark, shell string) { p.inked("", text, remark, shell) }

func (p *page) inked(i ink, text, remark, shell string) {
	text = clean(text)
	if !p.st.All {
		text = shorten(text)
	}
	width := p.st.width() - len(callIndent)
	lines := []string{text}
	if utf8.RuneCountInString(text) > width {
		lines = wrap(text, width-len(moreIndent))
	}
	for n, l := range lines {
		indent := callIndent
		if n > 0 {
			indent += moreIndent
		}
		if n < len(lines)-1 {
			p.line(indent + p.paint(i, l))
			continue
		}
		p.remark(indent, i, l, remark)
	}
	p.shell(shell)
}

// shell prints the lines of a shell command, each behind a prompt and whole if
// it is to be copied.
func (p *page) shell(command string) {
	for _, l := range strings.Split(command, "\n") {
		if l = clean(l); l == "" {
			continue
		}
		if !p.st.All {
			l = strings.Join(p.value(l, p.st.width()-len(callIndent)-4), "\n"+callIndent+"    ")
		}
		p.line(callIndent + "  " + p.st.in(green, "$ "+l))
	}
}

// remark sets a remark at the right edge, below the text if it does not fit.
func (p *page) remark(indent string, i ink, l, remark string) {
	if remark == "" {
		p.line(indent + p.paint(i, l))
		return
	}
	free := p.st.Width - len(indent) - utf8.RuneCountInString(l) - utf8.RuneCountInString(remark)
	switch {
	case p.st.Width == 0:
		p.line(indent + p.paint(i, l) + "  " + p.st.in(dim, remark))
	case free >= 2:
		p.line(indent + p.paint(i, l) + strings.Repeat(" ", free) + p.st.in(dim, remark))
	default:
		p.line(indent + p.paint(i, l))
		p.line(strings.Repeat(" ", max(0, p.st.Width-utf8.RuneCountInString(remark))) + p.st.in(dim, remark))
	}
}

// paint colours a whole call, or its name alone.
func (p *page) paint(i ink, s string) string {
	if i != "" {
		return p.st.in(i, s)
	}
	if n := strings.IndexByte(s, '('); n > 0 && isName(s[:n]) {
		return p.st.in(bold, s[:n]) + s[n:]
	}
	return s
}

func isName(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_0123456789") == ""
}

// shellOf is the shell command to show below a call, if the style wants any.
func shellOf(st Style, shell string) string {
	if !st.Shell {
		return ""
	}
	return shell
}
