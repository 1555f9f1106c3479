package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// report is all that a run has found out.
type report struct {
	machine        string
	load           string
	rounds, warmup int
	versions       []string
	tables         []table
	shims          []shim
	growths        []growth
	peaks          []peak
	notes          []string
	absent         []string
}

// table is one task's result.
type table struct {
	task, title string
	once        bool // each time is of one measurement
	rows        []row
}

type row struct {
	name  string
	times summary
}

// shim is what an idle container costs.
type shim struct {
	engine, process string
	memory
}

// summary is what is left of many measurements.
type summary struct{ median, min, max time.Duration }

// summarize wants at least one measurement.
func summarize(times []time.Duration) summary {
	sorted := slices.Sorted(slices.Values(times))
	n := len(sorted)
	return summary{median: (sorted[(n-1)/2] + sorted[n/2]) / 2, min: sorted[0], max: sorted[n-1]}
}

func (r *report) missing(name string, why error) {
	r.absent = append(r.absent, name+": "+strings.ReplaceAll(why.Error(), "\n", "; "))
}

func (r *report) version(name, version string) {
	r.versions = append(r.versions, name+" "+version)
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n%s\n", r.machine, strings.Join(r.versions, ", "))
	fmt.Fprintf(w, "%d rounds after %d for warming up, in turns; load of the machine at the end %s\n", r.rounds, r.warmup, r.load)
	for _, t := range r.tables {
		t.print(w)
	}
	printShims(w, r.shims)
	printGrowths(w, r.growths)
	printPeaks(w, r.peaks)
	printList(w, "not measured", r.absent)
	printList(w, "notes", r.notes)
	r.printGoals(w)
}

const tableFormat = "  %-28s %10s %10s %10s %8s\n"

func (t table) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n", t.title)
	columns := [3]string{"median", "min", "max"}
	if t.once {
		columns = [3]string{"once"}
	}
	fmt.Fprintf(w, tableFormat, "", columns[0], columns[1], columns[2], "ratio")
	for _, r := range t.rows {
		least, most := milliseconds(r.times.min), milliseconds(r.times.max)
		if t.once {
			least, most = "", ""
		}
		fmt.Fprintf(w, tableFormat, r.name, milliseconds(r.times.median), least, most,
			fmt.Sprintf("%.2f", float64(r.times.median)/float64(t.rows[0].times.median)))
	}
	if len(t.rows) == 0 {
		fmt.Fprintln(w, "  nobody took part")
	}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func printShims(w io.Writer, shims []shim) {
	if len(shims) == 0 {
		return
	}
	fmt.Fprintf(w, "\nmemory of the process that stays with an idle container\n")
	fmt.Fprintf(w, tableFormat, "", "PSS", "RSS", "", "ratio")
	for _, s := range shims {
		fmt.Fprintf(w, tableFormat, s.engine+", "+s.process, mebibytes(s.pss), mebibytes(s.rss), "",
			fmt.Sprintf("%.2f", float64(s.pss)/float64(shims[0].pss)))
	}
}

func printPeaks(w io.Writer, peaks []peak) {
	if len(peaks) == 0 {
		return
	}
	fmt.Fprintf(w, "\npeak memory (RSS) of the runtime's own process, with the bundle's /bin/true\n")
	fmt.Fprintf(w, tableFormat, "", "run", "exec", "", "ratio")
	for _, p := range peaks {
		fmt.Fprintf(w, tableFormat, p.contender, mebibytes(p.run), mebibytes(p.exec), "", fmt.Sprintf("%.2f", float64(p.run)/float64(peaks[0].run)))
	}
}

func printGrowths(w io.Writer, growths []growth) {
	if len(growths) == 0 {
		return
	}
	fmt.Fprintf(w, "\nthe same process before and after some work, PSS\n")
	fmt.Fprintf(w, tableFormat, "", "before", "after", "growth", "")
	for _, g := range growths {
		fmt.Fprintf(w, tableFormat, g.engine+", "+g.work, mebibytes(g.before), mebibytes(g.after), fmt.Sprintf("%d KiB", g.after-g.before), "")
	}
}

func mebibytes(kib int) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }

func printList(w io.Writer, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for _, line := range lines {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// find returns the result of one contender at one task.
func (r *report) find(task, name string) (row, bool) {
	for _, t := range r.tables {
		for _, row := range t.rows {
			if t.task == task && row.name == name {
				return row, true
			}
		}
	}
	return row{}, false
}

// describeMachine is the line that makes figures comparable, or says that they are not.
func describeMachine() string {
	var uts unix.Utsname
	_ = unix.Uname(&uts)
	cpu := "CPU"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range bytes.Lines(text) {
			if name, ok := bytes.CutPrefix(line, []byte("model name")); ok {
				cpu = strings.Trim(string(name), "\t :\n")
				break
			}
		}
	}
	return fmt.Sprintf("Linux %s, %d x %s", unix.ByteSliceToString(uts.Release[:]), runtime.NumCPU(), cpu)
}

// load is the machine's, of the last minute: the room's own commands count in it too.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(text))[0]
}
