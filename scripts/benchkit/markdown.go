package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// markdown is the report for a document. Milliseconds are one machine's, so it has ratios: how many times as long, or as
// much, as the first contender, which is ours. It says what is needed to judge them, and nothing that names the machine.
func (r *report) markdown(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %d rounds in turns. %s.\n", now.UTC().Format(time.DateOnly), machineClass(), r.rounds, strings.Join(r.versions, ", "))
	for _, t := range r.tables {
		if len(t.rows) > 0 {
			t.markdown(&b)
		}
	}
	if len(r.shims) > 0 {
		b.WriteString("\n| memory of the process that stays with an idle container | PSS | times ours |\n|---|---|---|\n")
		for _, s := range r.shims {
			fmt.Fprintf(&b, "| %s, %s | %s | %.2f |\n", s.engine, s.process, mebibytes(s.pss), float64(s.pss)/float64(r.shims[0].pss))
		}
	}
	if len(r.growths) > 0 {
		b.WriteString("\n| the same process after some work | before | growth |\n|---|---|---|\n")
		for _, g := range r.growths {
			fmt.Fprintf(&b, "| %s, %s | %s | %d KiB |\n", g.engine, g.work, mebibytes(g.before), g.after-g.before)
		}
	}
	if len(r.peaks) > 0 {
		b.WriteString("\n| peak memory (RSS) of the runtime's own process | run | exec | times ours (run) |\n|---|---|---|---|\n")
		for _, p := range r.peaks {
			fmt.Fprintf(&b, "| %s | %s | %s | %.2f |\n", p.contender, mebibytes(p.run), mebibytes(p.exec), float64(p.run)/float64(r.peaks[0].run))
		}
	}
	b.WriteString("\n| goal | |\n|---|---|\n")
	for _, g := range goals {
		mark, _ := g.judge(r)
		fmt.Fprintf(&b, "| %s | %s |\n", g, mark)
	}
	for _, line := range r.memoryGoals() {
		fmt.Fprintf(&b, "| %s | %s |\n", line[1], line[0])
	}
	return b.String()
}

func (t table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n| %s | median | fastest |\n|---|---|---|\n", t.title)
	first := t.rows[0].times
	for _, r := range t.rows {
		fmt.Fprintf(b, "| %s | %.2f | %.2f |\n", r.name, float64(r.times.median)/float64(first.median), float64(r.times.min)/float64(first.min))
	}
}

// machineClass is what figures depend on most: the kernel's version without its builder's words, and the processors.
func machineClass() string {
	var uts unix.Utsname
	_ = unix.Uname(&uts)
	release, _, _ := strings.Cut(unix.ByteSliceToString(uts.Release[:]), "-")
	kind := "on hardware"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil && strings.Contains(string(text), " hypervisor") {
		kind = "in a virtual machine"
	}
	return fmt.Sprintf("Linux %s (%s) with %d processors %s", release, runtime.GOARCH, runtime.NumCPU(), kind)
}
