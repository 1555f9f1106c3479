package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"minictr/pkg/image/digest"
	"minictr/pkg/image/transfer"
	"minictr/pkg/terminal"
)

func layerDigest(n int) digest.Digest { return digest.FromString(fmt.Sprint(n)) }

// shown is what a terminal shows after some output: enough of console_codes(4)
// for what progress draws.
func shown(out string) []string {
	lines, row := []string{""}, 0
	for len(out) > 0 {
		var up int
		switch {
		case strings.HasPrefix(out, "\x1b[K"):
			lines[row], out = "", out[3:]
		case strings.HasPrefix(out, "\x1b["):
			end := strings.IndexByte(out, 'A')
			fmt.Sscan(out[2:end], &up)
			row, out = row-up, out[end+1:]
		case out[0] == '\r':
			out = out[1:]
		case out[0] == '\n':
			if row, out = row+1, out[1:]; row == len(lines) {
				lines = append(lines, "")
			}
		default:
			lines[row], out = lines[row]+out[:1], out[1:]
		}
	}
	return lines
}

func TestEachLayerKeepsItsLine(t *testing.T) {
	var out bytes.Buffer
	p := (&app{}).progress(&out, false)
	p.size = func() (terminal.Size, bool) { return terminal.Size{Width: 80, Height: 24}, true }
	for n := range 3 {
		p.event(transfer.Event{Layer: layerDigest(n), State: transfer.Pending})
	}
	p.event(transfer.Event{Layer: layerDigest(1), State: transfer.Downloading, Current: 1 << 20, Total: 4 << 20})
	p.event(transfer.Event{Layer: layerDigest(1), State: transfer.Downloading, Current: 2 << 20, Total: 4 << 20})
	p.event(transfer.Event{Layer: layerDigest(0), State: transfer.Exists})
	p.close()
	want := []string{
		shortDigest(layerDigest(0)) + ": Already exists",
		shortDigest(layerDigest(1)) + ": Downloading [" + strings.Repeat("=", 12) + ">" + strings.Repeat(" ", 11) + "] 2.097MB/4.194MB",
		shortDigest(layerDigest(2)) + ": Waiting", "",
	}
	if got := shown(out.String()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("on the screen:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMoreLayersThanLinesScrollNothing(t *testing.T) {
	var out bytes.Buffer
	p := (&app{}).progress(&out, false)
	p.size = func() (terminal.Size, bool) { return terminal.Size{Width: 20, Height: 4}, true }
	for round := range 2 {
		for n := range 6 {
			p.event(transfer.Event{Layer: layerDigest(n), State: []transfer.State{transfer.Pending, transfer.Done}[round]})
		}
	}
	p.close()
	got := shown(out.String())
	if len(got) != 4 {
		t.Fatalf("%d lines: %q", len(got), got)
	}
	for i, line := range got[:3] {
		if want := (shortDigest(layerDigest(3+i)) + ": Pull complete")[:20]; line != want {
			t.Errorf("line %d is %q, want %q", i, line, want)
		}
	}
}
