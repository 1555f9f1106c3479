package explain

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// section is a part of a snapshot as lines with a name each. Two lines of the
// same name are the same thing, changed or not.
type section struct {
	title string
	rows  []row
}

type row struct {
	key  string // what makes it the same thing in another snapshot
	name string // what is printed in front of the value; may be empty
	text string
}

// sections lays out the snapshot in the order of a container's making.
func (s Snapshot) sections() []section {
	var all []section
	add := func(title string, rows []row) { all = append(all, section{title, rows}) }

	var ns []row
	for _, n := range s.Namespaces {
		whose := "the host's"
		if n.Own {
			whose = "its own"
		}
		ns = append(ns, row{n.Kind, n.Kind, n.ID + "  " + whose})
	}
	add("namespaces", ns)
	add("process", append(facts(s.Process), row{"hostname", "hostname", s.Hostname}))
	var cs []row
	for _, c := range s.Cgroups {
		cs = append(cs, c.rows()...)
	}
	add("cgroups", cs)
	var ms []row
	for _, m := range s.Mounts {
		ms = append(ms, row{key: fmt.Sprint(m.ID), text: m.String()})
	}
	add("mounts, as seen from its root", ms)
	add("network", s.Network.rows())
	add("limits", facts(s.Limits))
	add("open files", facts(s.Files))
	return all
}

func facts(all []Fact) []row {
	rows := make([]row, len(all))
	for i, f := range all {
		rows[i] = row{f.Name, f.Name, f.Value}
	}
	return rows
}

func (c Cgroup) rows() []row {
	where := c.Path
	if c.Dir != "" && c.Path != "/" {
		where = c.Dir
	}
	rows := []row{{c.Controllers, c.Controllers, where}}
	for _, f := range c.Values {
		rows = append(rows, row{c.Controllers + " " + f.Name, "  " + f.Name, f.Value})
	}
	return rows
}

func (n Network) rows() []row {
	if n.Shared {
		return []row{{"shared", "", "the host's"}}
	}
	var rows []row
	for _, l := range n.Links {
		rows = append(rows, row{"link " + l.Name, "link " + l.Name, l.Value})
	}
	for _, a := range n.Addresses {
		rows = append(rows, row{"address " + a, "address", a})
	}
	for _, r := range n.Routes {
		rows = append(rows, row{"route " + r, "route", r})
	}
	if n.Error != "" {
		rows = append(rows, row{"error", "error", n.Error})
	}
	return rows
}

// Write prints the snapshot for people.
func (s Snapshot) Write(w io.Writer, st Style) error {
	p := &page{st: st}
	p.line(p.st.in(bold, fmt.Sprintf("process %d", s.PID)))
	for _, sec := range s.sections() {
		p.line("  " + p.st.in(bold, sec.title))
		if len(sec.rows) == 0 {
			p.line("    " + p.st.in(dim, "none"))
		}
		wide := nameWidth(sec.rows)
		for _, r := range sec.rows {
			p.row(" ", "", wide, r)
		}
	}
	_, err := io.WriteString(w, p.String())
	return err
}

// Change is one line of a Diff: an old value, a new one, or both.
type Change struct {
	Section string `json:"section"`
	Name    string `json:"name,omitempty"`
	Old     string `json:"old,omitempty"`
	New     string `json:"new,omitempty"`
}

// Diff is what changed between two snapshots, in the order of the later one;
// what went away comes last in each section.
func Diff(before, after Snapshot) []Change {
	old := make(map[string]section)
	for _, sec := range before.sections() {
		old[sec.title] = sec
	}
	var all []Change
	for _, sec := range after.sections() {
		all = append(all, sec.since(old[sec.title])...)
		delete(old, sec.title)
	}
	for _, sec := range before.sections() { // such as a cgroup hierarchy that is gone
		if _, left := old[sec.title]; left {
			all = append(all, section{title: sec.title}.since(sec)...)
		}
	}
	return all
}

func (s section) since(before section) []Change {
	old := make(map[string]row, len(before.rows))
	for _, r := range before.rows {
		old[r.key] = r
	}
	var all []Change
	for _, r := range s.rows {
		o, was := old[r.key]
		delete(old, r.key)
		if !was || o.text != r.text {
			all = append(all, Change{s.title, r.name, o.text, r.text})
		}
	}
	for _, r := range before.rows {
		if _, left := old[r.key]; left {
			all = append(all, Change{s.title, r.name, r.text, ""})
		}
	}
	return all
}

// WriteDiff prints changes for people, or that there are none.
func WriteDiff(w io.Writer, changes []Change, st Style) error {
	p := &page{st: st}
	if len(changes) == 0 {
		p.line("nothing that can be seen from outside has changed")
	}
	title := ""
	for _, c := range changes {
		if c.Section != title {
			title = c.Section
			p.line("  " + p.st.in(bold, title))
		}
		if c.Old != "" {
			p.row("-", red, 0, row{name: c.Name, text: c.Old})
		}
		if c.New != "" {
			p.row("+", green, 0, row{name: c.Name, text: c.New})
		}
	}
	_, err := io.WriteString(w, p.String())
	return err
}

func nameWidth(rows []row) int {
	wide := 0
	for _, r := range rows {
		wide = max(wide, utf8.RuneCountInString(r.name))
	}
	return wide
}

// row prints one row behind a sign; a long value goes on in further lines, with
// its long words cut in the middle unless everything is asked for.
func (p *page) row(sign string, i ink, wide int, r row) {
	name, indent := clean(r.name), 4
	head := "  " + p.st.in(i, sign) + " "
	if name != "" {
		pad := max(0, wide-utf8.RuneCountInString(name)) + 2
		indent += utf8.RuneCountInString(name) + pad
		head += p.st.in(i, name) + strings.Repeat(" ", pad)
	}
	for _, l := range p.value(clean(r.text), p.st.width()-indent) {
		p.line(head + p.st.in(i, l))
		head = strings.Repeat(" ", indent)
	}
}

// value breaks a value into the lines it takes.
func (p *page) value(text string, room int) []string {
	if utf8.RuneCountInString(text) <= room {
		return []string{text}
	}
	parts := strings.Split(text, " ")
	for i, w := range parts {
		if !p.st.All {
			parts[i] = middle(w, literalHead+literalTail)
		}
	}
	return words(strings.Join(parts, " "), room)
}

// middle cuts the middle out of s if it is longer than room.
func middle(s string, room int) string {
	r := []rune(s)
	if len(r) <= room {
		return s
	}
	tail := room / 3
	return string(r[:room-tail-1]) + "…" + string(r[len(r)-tail:])
}
