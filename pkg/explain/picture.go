package explain

import (
	"fmt"
	"io"
	"strings"

	"minictr/pkg/step"
)

// Widths of a picture's two lanes and of the gap between them.
const (
	laneWidth = 30
	gapWidth  = 14
)

// Picture draws a plan as two lanes, the host's and the new process's, from top
// to bottom in the order of the plan. From the clone on the lanes run side by
// side; the arrows between them are the moments at which one side waits for
// the other.
func Picture(w io.Writer, plan step.Plan) error {
	d := &drawing{}
	d.host("minictr-shim, on the host", "")
	d.host(strings.Repeat("-", laneWidth), "")
	for i, s := range plan {
		label := fmt.Sprintf("%2d %s", i+1, clean(s.Name))
		switch s.Side {
		case step.Host:
			d.host(label, "")
		case step.Clone:
			d.host(label, arrow("clone3", true)+" the new process")
			d.split = true
			d.inside("", strings.Repeat("-", laneWidth))
		case step.Inside:
			d.step(label, s)
		}
	}
	d.inside("", "(the container's program)")
	_, err := io.WriteString(w, d.String())
	return err
}

// drawing is a picture under way.
type drawing struct {
	strings.Builder
	split bool // both lanes run
}

// step draws a step of the new process, with what it tells its parent and what
// it waits for.
func (d *drawing) step(label string, s step.Step) {
	for _, c := range s.All() {
		switch {
		case c.Tells():
			d.inside(arrow("I am here", false), label)
			label = ""
		case c.Awaits():
			d.inside(arrow("go on", true), label)
			label = ""
		}
	}
	if label != "" {
		d.inside("", label)
	}
}

// arrow is a labelled arrow across the gap, to the right or to the left.
func arrow(label string, right bool) string {
	line := strings.Repeat("-", max(1, gapWidth-len(label)-4))
	if right {
		return "- " + label + " " + line + ">"
	}
	return "<" + line + " " + label + " -"
}

// host draws a line of the left lane.
func (d *drawing) host(left, gap string) {
	right := ""
	if d.split {
		right = "|"
	}
	d.lanes(left, gap, right)
}

// inside draws a line of the right lane.
func (d *drawing) inside(gap, right string) { d.lanes("", gap, "| "+middle(right, laneWidth)) }

func (d *drawing) lanes(left, gap, right string) {
	line := fmt.Sprintf("| %-*s |%-*s%s", laneWidth, middle(left, laneWidth), gapWidth, gap, right)
	if d.split {
		line = fmt.Sprintf("%-*s|", 2+laneWidth+2+gapWidth+2+laneWidth+1, line)
	}
	d.WriteString(strings.TrimRight(line, " ") + "\n")
}
