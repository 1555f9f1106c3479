package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// skip is one skipped test with its reason.
type skip struct {
	test   key
	reason string
}

// report prints the skips and the totals, and returns the exit code.
func (r *results) report(out io.Writer, allowed []*regexp.Regexp, strict bool) int {
	passed, failed, skipped := r.count("")
	failed += len(r.broken)
	unexpected := r.reportSkips(out, allowed, strict)
	if len(r.broken) > 0 {
		fmt.Fprintf(out, "\nfailed as a whole (build, panic or time-out; each counts as one failure): %s\n", strings.Join(r.broken, ", "))
	}
	if len(r.flaky) > 0 {
		fmt.Fprintf(out, "\nFLAKY, passed at the second try only:\n  %s\n", strings.Join(r.flaky, "\n  "))
	}
	code := 0
	if failed > 0 {
		code = 1
	}
	if passed+failed == 0 {
		fmt.Fprintln(out, "\nno test ran")
		code = 1
	}
	if unexpected > 0 {
		fmt.Fprintf(out, "\n%d of the skips should not happen in CI (marked !): make them run, or add them to scripts/allowed-skips\n", unexpected)
		code = 1
	}
	fmt.Fprintf(out, "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return code
}

// reportSkips lists the skipped tests by reason and returns how many nobody expects. Where skips are nothing unusual
// (not strict), a long list is cut.
func (r *results) reportSkips(out io.Writer, allowed []*regexp.Regexp, strict bool) (unexpected int) {
	byReason := map[string][]string{}
	for _, s := range r.skips() {
		mark := " "
		switch {
		case r.passedElsewhere(s.test):
			mark = "+"
		case strict && !expected(s, allowed):
			mark = "!"
			unexpected++
		}
		byReason[s.reason] = append(byReason[s.reason], fmt.Sprintf("  %s %s %s", mark, s.test.pkg, s.test.test))
	}
	if len(byReason) == 0 {
		return 0
	}
	fmt.Fprintln(out, "\nskipped, by reason (+ passed elsewhere in this run, ! not expected in CI):")
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		fmt.Fprintln(out, reason)
		lines := byReason[reason]
		if most := 5; !strict && len(lines) > most+1 {
			lines = append(lines[:most:most], fmt.Sprintf("    and %d more", len(lines)-most))
		}
		for _, line := range lines {
			fmt.Fprintln(out, line)
		}
	}
	return unexpected
}

func (r *results) skips() []skip {
	var all []skip
	for _, test := range r.order {
		if r.outcome[test] == "skip" && !r.parent[test] {
			all = append(all, skip{test, r.reason(test)})
		}
	}
	return all
}

// position is what testing puts in front of a message: "    file_test.go:12: ".
var position = regexp.MustCompile(`^\s*\S+\.go:\d+: `)

// reason is what the test said itself: its output without the frame that testing puts around it.
func (r *results) reason(test key) string {
	if r.output[test] == nil {
		return "no reason given"
	}
	var said []string
	for line := range strings.Lines(r.output[test].String()) {
		text := strings.TrimSpace(position.ReplaceAllString(line, ""))
		if text != "" && !strings.HasPrefix(text, "=== ") && !strings.HasPrefix(text, "--- SKIP") {
			said = append(said, text)
		}
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, "; ")
}

// passedElsewhere says whether the same test of the same package passed in another environment of this run; its
// results carry a mark behind the package's name, such as " [vm]".
func (r *results) passedElsewhere(test key) bool {
	name, _, _ := strings.Cut(test.pkg, " ")
	for other, outcome := range r.outcome {
		otherName, _, _ := strings.Cut(other.pkg, " ")
		if outcome == "pass" && other.test == test.test && otherName == name {
			return true
		}
	}
	return false
}

func expected(s skip, allowed []*regexp.Regexp) bool {
	line := s.test.pkg + " " + s.test.test + ": " + s.reason
	return slices.ContainsFunc(allowed, func(pattern *regexp.Regexp) bool { return pattern.MatchString(line) })
}

// readAllowed reads one regular expression a line, matched against "PACKAGE TEST: REASON"; # begins a comment line.
func readAllowed(path string) ([]*regexp.Regexp, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the allowed skips: %w", err)
	}
	defer file.Close()
	var allowed []*regexp.Regexp
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		pattern, err := regexp.Compile(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		allowed = append(allowed, pattern)
	}
	return allowed, lines.Err()
}
