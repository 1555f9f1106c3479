// Command engines has real engines use an OCI runtime, and prints a table of what works.
//
//	engines [-runtime minictr-oci] [-json FILE] [containerd podman docker]
//
// What is tried. The things a user does with a container all day: run, exec with a terminal, logs, pause, stop, kill,
// limits that bind, exit codes, remove. Each engine gets the built-in base image as an archive of docker's format, and
// the runtime by the option that the engine has for that; nothing of the machine's own configuration.
//
// Where. It starts daemons and writes to /run and /var/lib as if the machine were its own, so it must run in a room
// where that is so: `make engines` calls it through `scripts/bench room`, which takes everything away afterwards,
// however this program ends.
//
// What it leaves out. Networks: those are the engine's business, not the runtime's; containers here have none.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	runtime := flag.String("runtime", "minictr-oci", "the OCI runtime that the engines are to use")
	file := flag.String("json", "", "write the results there too, as JSON")
	flag.Parse()
	ok, err := run(*runtime, *file, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "engines:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// all are the engines, by name.
var all = []func(*bench) *engine{newContainerd, newPodman, newDocker}

// bench is one trial: what the engines share.
type bench struct {
	dir     string // for files of ours
	runtime string // absolute path
	archive string // the image, as docker save writes it
}

func run(runtime, file string, names []string) (bool, error) {
	if os.Getenv("BENCH_TEMP") == "" {
		return false, errors.New("this program starts daemons of its own: call it by `make engines`, which makes a room for them")
	}
	b := &bench{}
	var err error
	if b.runtime, err = exec.LookPath(runtime); err != nil {
		return false, err
	}
	if b.runtime, err = filepath.Abs(b.runtime); err != nil {
		return false, err
	}
	if b.dir, err = os.MkdirTemp("", "engines"); err != nil {
		return false, err
	}
	b.archive = filepath.Join(b.dir, "image.tar")
	if err := writeImage(b.archive); err != nil {
		return false, err
	}
	var results []result
	for _, make := range all {
		if e := make(b); len(names) == 0 || slices.Contains(names, e.name) {
			results = append(results, e.try()...)
		}
	}
	if file != "" {
		text, err := json.MarshalIndent(results, "", "\t")
		if err == nil {
			err = os.WriteFile(file, append(text, '\n'), 0o644)
		}
		if err != nil {
			return false, err
		}
	}
	fmt.Print(table(results))
	return !slices.ContainsFunc(results, func(r result) bool { return r.Failure != "" }), nil
}

// result is one cell of the table.
type result struct {
	Engine  string `json:"engine"`
	Version string `json:"version"`
	What    string `json:"what"`
	Failure string `json:"failure,omitempty"` // why it does not work
	Skipped string `json:"skipped,omitempty"` // why it was not tried
}

func (r result) cell() string {
	switch {
	case r.Failure != "":
		return "FAIL"
	case r.Skipped != "":
		return "–"
	}
	return "works"
}

// table is a row for each thing and a column for each engine, in Markdown, with the reasons below.
func table(results []result) string {
	var engines, whats, notes []string
	cells := make(map[string]string)
	for _, r := range results {
		if r.What == "" { // the engine as a whole
			notes = append(notes, fmt.Sprintf("%s: %s%s", r.Engine, r.Failure, r.Skipped))
			continue
		}
		head := r.Engine + " " + r.Version
		if !slices.Contains(engines, head) {
			engines = append(engines, head)
		}
		if !slices.Contains(whats, r.What) {
			whats = append(whats, r.What)
		}
		cells[head+"\x00"+r.What] = r.cell()
		if text := r.Failure + r.Skipped; text != "" {
			notes = append(notes, fmt.Sprintf("%s, %s: %s", r.Engine, r.What, text))
		}
	}
	var b strings.Builder
	if len(engines) > 0 {
		fmt.Fprintf(&b, "| | %s |\n|---|%s\n", strings.Join(engines, " | "), strings.Repeat("---|", len(engines)))
	}
	for _, w := range whats {
		fmt.Fprintf(&b, "| %s |", w)
		for _, e := range engines {
			cell := cells[e+"\x00"+w]
			if cell == "" {
				cell = "not tried"
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	for _, n := range notes {
		fmt.Fprintf(&b, "\n%s\n", n)
	}
	return b.String()
}
