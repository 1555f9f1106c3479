package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/transfer"
	"minictr/pkg/terminal"
)

// progress shows how a pull gets on: on a terminal a line for each layer, drawn
// over and over; else a line when a layer begins to matter and one when it is
// there.
type progress struct {
	out  io.Writer
	size func() (terminal.Size, bool) // of the terminal, if there is one
	off  bool

	mu     sync.Mutex
	layers []*transfer.Event // the last of each layer, in the order in which they came
	drawn  int               // lines on the screen
	last   time.Time         // when they were drawn
	told   map[digest.Digest]transfer.State
}

func (a *app) progress(out io.Writer, quiet bool) *progress {
	p := &progress{out: out, off: quiet, told: map[digest.Digest]transfer.State{}}
	p.size = func() (terminal.Size, bool) {
		f, ok := out.(*os.File)
		if !ok || !terminal.IsTerminal(f) {
			return terminal.Size{}, false
		}
		size, err := terminal.SizeOf(f)
		return size, err == nil
	}
	return p
}

func (p *progress) event(e transfer.Event) {
	if p.off {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	size, ok := p.size()
	if !ok {
		p.line(e)
		return
	}
	news := p.note(e)
	if news || time.Since(p.last) >= redraw {
		p.draw(size)
	}
}

// redraw is how often bytes that have come are worth a new picture.
const redraw = 100 * time.Millisecond

func shortDigest(d digest.Digest) string { return d.Encoded()[:min(12, len(d.Encoded()))] }

var stateText = map[transfer.State]string{
	transfer.Pending: "Waiting", transfer.Waiting: "Waiting for another pull", transfer.Downloading: "Downloading",
	transfer.Retrying: "Trying again", transfer.Exists: "Already exists", transfer.Done: "Pull complete",
}

// line prints the states that do not pass by themselves.
func (p *progress) line(e transfer.Event) {
	worth := e.State == transfer.Exists || e.State == transfer.Done || e.State == transfer.Retrying
	if worth && p.told[e.Layer] != e.State {
		fmt.Fprintf(p.out, "%s: %s\n", shortDigest(e.Layer), stateText[e.State])
	}
	p.told[e.Layer] = e.State
}

// note keeps an event, and reports whether it is more than some bytes.
func (p *progress) note(e transfer.Event) (news bool) {
	for _, l := range p.layers {
		if l.Layer == e.Layer {
			news = l.State != e.State
			*l = e
			return news
		}
	}
	p.layers = append(p.layers, &e)
	return true
}

// draw draws the lines over those from before. Where there are more layers than
// lines on the screen, the first ones are left out: what has scrolled away
// cannot be drawn again.
func (p *progress) draw(size terminal.Size) {
	p.last = time.Now()
	layers := p.layers
	if fit := max(int(size.Height)-1, 1); size.Height > 0 && len(layers) > fit {
		layers = layers[len(layers)-fit:]
	}
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn) // up; see console_codes(4)
	}
	for _, l := range layers {
		text := layerLine(*l)
		if size.Width > 0 && len(text) > int(size.Width) {
			text = text[:size.Width]
		}
		b.WriteString("\r\x1b[K" + text + "\n")
	}
	p.drawn = len(layers)
	_, _ = io.WriteString(p.out, b.String())
}

// layerLine is "9824c27679d3: Downloading [=======>      ] 2.1MB/3.8MB".
func layerLine(e transfer.Event) string {
	text := shortDigest(e.Layer) + ": " + stateText[e.State]
	if e.State != transfer.Downloading || e.Total <= 0 {
		return text
	}
	const width = 24
	done := int(width * min(max(e.Current, 0), e.Total) / e.Total)
	bar := strings.Repeat("=", done)
	if done < width {
		bar += ">" + strings.Repeat(" ", width-done-1)
	}
	return fmt.Sprintf("%s [%s] %s/%s", text, bar, units.HumanSize(float64(e.Current)), units.HumanSize(float64(e.Total)))
}

// close leaves the screen as it is in the end.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if size, ok := p.size(); ok && len(p.layers) > 0 {
		p.draw(size)
	}
}
