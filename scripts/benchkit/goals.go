package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// goal is what minictr is meant to reach: at most factor times a peer's median, or, without a peer, at most limit.
type goal struct {
	task, contender string
	factor          float64
	peer            string
	limit           time.Duration
}

var goals = []goal{
	{task: "bridge", contender: "minictr", factor: 0.1, peer: "docker"},
	{task: "bridge", contender: "minictr", factor: 0.1, peer: "podman"},
	{task: "bridge", contender: coldName, factor: 0.1, peer: "docker"},
	{task: "bridge", contender: coldName, factor: 0.1, peer: "podman"},
	{task: "none", contender: "minictr", factor: 1.5, peer: "crun, bundle"},
	{task: "ps", contender: "minictr", limit: 15 * time.Millisecond},
	{task: "bundle", contender: "minictr-oci, bundle", factor: 0.7, peer: "crun, bundle"},
	{task: "bundle", contender: "minictr-oci, bundle", factor: 0.35, peer: "runc, bundle"},
	{task: "seccomp", contender: "minictr-oci, bundle", factor: 0.7, peer: "crun, bundle"},
	{task: "seccomp", contender: "minictr-oci, bundle", factor: 0.35, peer: "runc, bundle"},
	{task: "bundle-exec", contender: "minictr-oci, bundle", factor: 0.7, peer: "crun, bundle"},
	{task: "bundle-exec", contender: "minictr-oci, bundle", factor: 0.35, peer: "runc, bundle"},
	{task: "exec", contender: "minictr", factor: 0.1, peer: "docker"},
	{task: "run -d", contender: "minictr", factor: 0.125, peer: "docker"},
	{task: "start", contender: "minictr", factor: 0.125, peer: "docker"},
	{task: "stop", contender: "minictr", limit: 4 * time.Second}, // the slowest takes two, and somebody has to be the last of a hundred
	{task: "ps 1000", contender: "minictr", limit: 60 * time.Millisecond},
}

// peakMargin is how much more memory than crun our runtime may need at most, in KiB.
const peakMargin = 6 << 10

func (r *report) printGoals(w io.Writer) {
	fmt.Fprintf(w, "\ngoals\n")
	for _, g := range goals {
		mark, text := g.judge(r)
		fmt.Fprintf(w, "  %-7s %s\n", mark, text)
	}
	for _, line := range r.memoryGoals() {
		fmt.Fprintf(w, "  %-7s %s\n", line[0], line[1])
	}
}

// judgePeak compares the peak memory of run, and of exec.
func (r *report) judgePeak() (mark, text string) {
	text = "peak: minictr-oci, bundle at most " + mebibytes(peakMargin) + " more than crun, bundle"
	of := func(name string) int {
		return slices.IndexFunc(r.peaks, func(p peak) bool { return p.contender == name })
	}
	own, peer := of("minictr-oci, bundle"), of("crun, bundle")
	if own < 0 || peer < 0 {
		return unknown, text + " (that was not measured)"
	}
	o, p := r.peaks[own], r.peaks[peer]
	return verdict(o.run <= p.run+peakMargin && o.exec <= p.exec+peakMargin),
		fmt.Sprintf("%s: run %+.1f MiB, exec %+.1f MiB", text, float64(o.run-p.run)/1024, float64(o.exec-p.exec)/1024)
}

const unknown = "unknown"

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

func (g goal) String() string {
	if g.peer != "" {
		return fmt.Sprintf("%s: %s at most %g times %s", g.task, g.contender, g.factor, g.peer)
	}
	return fmt.Sprintf("%s: %s at most %s", g.task, g.contender, g.limit)
}

// judge says whether a goal is met, or that it cannot be known.
func (g goal) judge(r *report) (mark, text string) {
	text = g.String()
	own, ok := r.find(g.task, g.contender)
	if !ok {
		return unknown, text + " (it was not measured)"
	}
	took := own.times.median
	if g.peer == "" {
		return verdict(took <= g.limit), fmt.Sprintf("%s: %s", text, milliseconds(took))
	}
	other, ok := r.find(g.task, g.peer)
	if !ok {
		return unknown, text + " (that was not measured)"
	}
	peer := other.times.median
	factor := float64(took) / float64(peer)
	return verdict(factor <= g.factor), fmt.Sprintf("%s: %.3f (%s, %s)", text, factor, milliseconds(took), milliseconds(peer))
}
