package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"

	"github.com/docker/go-units"
	"github.com/opencontainers/go-digest"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"minictr/pkg/image/registry"
	"minictr/pkg/terminal"
)

// progress shows how a pull gets on: bars on a terminal, else a line when a
// layer begins to matter and one when it is there.
type progress struct {
	out  io.Writer
	mu   sync.Mutex
	pool *mpb.Progress // nil where there is no terminal
	bars map[digest.Digest]*bar
	told map[digest.Digest]registry.State
	off  bool
}

type bar struct {
	*mpb.Bar
	state atomic.Value // a string, read by the goroutine that draws
}

func (a *app) progress(out io.Writer, quiet bool) *progress {
	return &progress{out: out, off: quiet, bars: map[digest.Digest]*bar{}, told: map[digest.Digest]registry.State{}}
}

func (p *progress) event(e registry.Event) {
	if p.off {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.out.(*os.File); ok && terminal.IsTerminal(f) {
		p.draw(e)
		return
	}
	p.line(e)
}

func shortDigest(d digest.Digest) string { return d.Encoded()[:min(12, len(d.Encoded()))] }

var stateText = map[registry.State]string{
	registry.Pending: "Waiting", registry.Waiting: "Waiting for another pull", registry.Downloading: "Downloading",
	registry.Retrying: "Trying again", registry.Exists: "Already exists", registry.Done: "Pull complete",
}

// line prints the states that do not pass by themselves.
func (p *progress) line(e registry.Event) {
	worth := e.State == registry.Exists || e.State == registry.Done || e.State == registry.Retrying
	if worth && p.told[e.Layer] != e.State {
		fmt.Fprintf(p.out, "%s: %s\n", shortDigest(e.Layer), stateText[e.State])
	}
	p.told[e.Layer] = e.State
}

func (p *progress) draw(e registry.Event) {
	if p.pool == nil {
		p.pool = mpb.New(mpb.WithOutput(p.out), mpb.WithWidth(40))
	}
	b, ok := p.bars[e.Layer]
	if !ok {
		b = &bar{}
		b.state.Store("")
		name := shortDigest(e.Layer)
		b.Bar = p.pool.New(max(e.Total, 1), mpb.BarStyle(),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return name + ": " + b.state.Load().(string) }, decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(func(s decor.Statistics) string {
				return units.HumanSize(float64(s.Current)) + "/" + units.HumanSize(float64(s.Total))
			})))
		p.bars[e.Layer] = b
	}
	b.state.Store(stateText[e.State])
	switch e.State {
	case registry.Exists, registry.Done:
		b.SetTotal(max(e.Total, 1), false)
		b.SetCurrent(max(e.Total, 1))
		b.SetTotal(max(e.Total, 1), true)
	default:
		b.SetCurrent(e.Current)
	}
}

// close leaves the screen in order, also when the pull broke off.
func (p *progress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pool == nil {
		return
	}
	for _, b := range p.bars {
		if !b.Completed() {
			b.Abort(false)
		}
	}
	p.pool.Wait()
}
