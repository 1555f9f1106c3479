package explain

import (
	"os"

	"golang.org/x/sys/unix"
)

// Style is how text is laid out. Its zero value is plain text without colour,
// without line breaks inside a call, with long arguments shortened.
type Style struct {
	Width int  // columns; 0: never wrap
	Color bool // ANSI colours
	All   bool // show every argument whole
	Shell bool // show the equivalent shell command below a call
	Steps int  // number of steps in the plan, for "3/14"; 0: unknown
}

// The widths that text is laid out for. A narrower terminal wraps by itself.
const (
	minWidth = 80
	maxWidth = 120
)

// StyleFor looks at where the text goes: wrapped to the width of a terminal,
// in colour on one unless NO_COLOR is set (no-color.org) or TERM is "dumb".
// Into a file or pipe goes plain text of 100 columns.
func StyleFor(f *os.File) Style {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return Style{Width: 100}
	}
	width := int(size.Col)
	if width == 0 {
		width = 100 // a terminal that does not know, such as a serial line
	}
	return Style{
		Width: min(max(width, minWidth), maxWidth),
		Color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
	}
}

// ink is one way to colour a piece of text.
type ink string

const (
	bold   ink = "1"
	dim    ink = "2"
	red    ink = "1;31"
	green  ink = "32"
	yellow ink = "33"
	cyan   ink = "36"
)

// in colours s, or not.
func (st Style) in(i ink, s string) string {
	if !st.Color || s == "" {
		return s
	}
	return "\x1b[" + string(i) + "m" + s + "\x1b[0m"
}

func (st Style) width() int {
	if st.Width == 0 {
		return 1 << 20
	}
	return st.Width
}
