package main

import "fmt"

// What a shim may occupy, in KiB of PSS: when idle, also compared with docker's, and more after work than before. Nothing
// more is meant; the kernel counts in pages, and a page that is shared moves the figure by parts of it.
const (
	shimLimit   = 4 << 10
	shimFactor  = 0.5
	growthLimit = 128
)

// memoryGoals are marks and texts.
func (r *report) memoryGoals() (lines [][2]string) {
	mark, text := r.judgePeak()
	lines = append(lines, [2]string{mark, text})
	idle := fmt.Sprintf("minictr-shim below %s PSS when idle", mebibytes(shimLimit))
	half := fmt.Sprintf("minictr-shim at most %g times containerd-shim-runc-v2 when idle", shimFactor)
	pss := make(map[string]int)
	for _, s := range r.shims {
		pss[s.engine] = s.pss
	}
	own, peer := pss["minictr"], pss["docker"]
	if own == 0 {
		lines = append(lines, [2]string{unknown, idle})
	} else {
		lines = append(lines, [2]string{verdict(own < shimLimit), idle + ": " + mebibytes(own)})
	}
	if own == 0 || peer == 0 {
		lines = append(lines, [2]string{unknown, half})
	} else {
		factor := float64(own) / float64(peer)
		lines = append(lines, [2]string{verdict(factor <= shimFactor), fmt.Sprintf("%s: %.2f (%s, %s)", half, factor, mebibytes(own), mebibytes(peer))})
	}
	grown := false
	for _, g := range r.growths {
		if g.engine == "minictr" {
			grown = true
			more := g.after - g.before
			lines = append(lines, [2]string{verdict(more <= growthLimit), fmt.Sprintf("minictr-shim grows by nothing over %s: %d KiB", g.work, more)})
		}
	}
	if !grown {
		lines = append(lines, [2]string{unknown, "minictr-shim grows by nothing over its container's work"})
	}
	return lines
}
