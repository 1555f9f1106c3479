package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// event is a line of go test -json; see `go doc test2json`. Builds report with an ImportPath.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// key names a test, or (with an empty test) a package.
type key struct{ pkg, test string }

// results is everything seen so far.
type results struct {
	order   []key          // tests in the order of their ends
	outcome map[key]string // pass, fail or skip
	output  map[key]*strings.Builder
	parent  map[key]bool // has subtests
	broken  []string     // packages that failed without a failed test: no build, a panic, a time-out
	builds  map[string]*strings.Builder
	flaky   []string // what has passed at the second try only
}

func newResults() *results {
	return &results{
		outcome: map[key]string{}, output: map[key]*strings.Builder{},
		parent: map[key]bool{}, builds: map[string]*strings.Builder{},
	}
}

// collect reads events to the end and prints a line when a package ends. Lines that are no events are passed on: they
// are a tool's own words.
func collect(in io.Reader, out io.Writer) (*results, error) {
	found := newResults()
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if text := strings.TrimSpace(line); text != "" {
			var e event
			if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &e) != nil {
				fmt.Fprintln(out, text)
			} else {
				found.add(e, out)
			}
		}
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read test events: %w", err)
		}
	}
}

func (r *results) add(e event, out io.Writer) {
	at := key{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		appendTo(r.builds, e.ImportPath, e.Output)
	case "output":
		appendTo(r.output, at, e.Output)
	case "run":
		if cut := strings.LastIndex(e.Test, "/"); cut > 0 {
			r.parent[key{e.Package, e.Test[:cut]}] = true
		}
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e, out)
			return
		}
		if r.outcome[at] == "" {
			r.order = append(r.order, at)
		}
		r.outcome[at] = e.Action
	}
}

// endPackage prints how a package went; of a failed one, everything it said.
func (r *results) endPackage(e event, out io.Writer) {
	passed, failed, skipped := r.count(e.Package)
	if e.Action == "fail" && failed == 0 {
		r.broken = append(r.broken, e.Package)
	}
	if e.Action == "pass" && passed+skipped == 0 || e.Action == "skip" {
		return // no tests there
	}
	word := map[string]string{"pass": "ok  ", "fail": "FAIL"}[e.Action]
	fmt.Fprintf(out, "%s %-42s %7.2fs  %d passed, %d failed, %d skipped\n", word, e.Package, e.Elapsed, passed, failed, skipped)
	if e.Action != "fail" {
		return
	}
	for at, text := range r.builds {
		if at == e.Package || strings.HasPrefix(at, e.Package+" ") || strings.HasPrefix(at, e.Package+"_test ") {
			fmt.Fprint(out, text.String())
		}
	}
	for _, test := range r.order {
		if test.pkg == e.Package && r.outcome[test] == "fail" && r.output[test] != nil {
			fmt.Fprint(out, r.output[test].String())
		}
	}
	if text := r.output[key{e.Package, ""}]; text != nil {
		fmt.Fprint(out, text.String())
	}
	// A test that was running when the binary died has no outcome; what it said is what one wants to read.
	for at, text := range r.output {
		if at.pkg == e.Package && at.test != "" && r.outcome[at] == "" {
			fmt.Fprint(out, text.String())
		}
	}
}

// count totals the tests of a package, or of all when pkg is empty.
func (r *results) count(pkg string) (passed, failed, skipped int) {
	for _, test := range r.order {
		if r.parent[test] && !r.failedByItself(test) || pkg != "" && test.pkg != pkg {
			continue
		}
		switch r.outcome[test] {
		case "pass":
			passed++
		case "fail":
			failed++
		case "skip":
			skipped++
		}
	}
	return passed, failed, skipped
}

// failedByItself: a parent test fails with its subtests, but it can also fail while all of them pass, and that must
// not be lost.
func (r *results) failedByItself(test key) bool {
	if r.outcome[test] != "fail" {
		return false
	}
	for child, outcome := range r.outcome {
		if child.pkg == test.pkg && strings.HasPrefix(child.test, test.test+"/") && outcome == "fail" {
			return false
		}
	}
	return true
}

func appendTo[K comparable](all map[K]*strings.Builder, at K, text string) {
	if all[at] == nil {
		all[at] = &strings.Builder{}
	}
	all[at].WriteString(text)
}
