// Command holes opens known holes in minictr, one at a time, to see whether the tests find them.
//
// A test that looks for an escape passes in two cases: there is no way out, or the test looks in the wrong place. So
// each known escape has an entry in holes.go: the change of our source that would let it through. The change is never
// made to a file: the compiler is told to read another one in its place (go build -overlay). Then the escape's own
// test must fail, and say why.
//
//	holes             all of them, as a table; exit code 1 if a test passes with its hole open
//	holes NAME...     those whose name contains one of these
//
// The tests try to get at files that they have made themselves; with a hole open they do, and at no others.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	failed, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "holes:", err)
		os.Exit(2)
	}
	if failed > 0 {
		fmt.Fprintf(os.Stderr, "holes: %d of the tests did not find the hole that they are for\n", failed)
		os.Exit(1)
	}
}

// run prints a row for each hole as soon as it is known.
func run(names []string, out io.Writer) (failed int, err error) {
	top, err := module()
	if err != nil {
		return 0, err
	}
	fmt.Fprint(out, "| escape | it would work if | then this fails |\n|---|---|---|\n")
	for _, h := range holes {
		if !h.matches(names) {
			continue
		}
		found, err := h.open(top)
		if err != nil {
			return failed, fmt.Errorf("%s: %w", h.name, err)
		}
		outcome := ""
		if !found {
			outcome = ": it does not!"
			failed++
		}
		fmt.Fprintf(out, "| %s | %s | `%s` in %s%s |\n", h.name, h.change, h.test, h.pkg, outcome)
	}
	return failed, nil
}

// hole is a change of the source that makes an escape possible.
type hole struct {
	name   string // the CVE
	change string // what is different with the hole: "if …"
	edits  []edit
	pkg    string // of the test, from the module's top
	test   string
	says   string // part of what the test prints when the escape has worked
}

// edit replaces one text in a file, in all places.
type edit struct{ file, old, new string }

func (h hole) matches(names []string) bool {
	for _, n := range names {
		if strings.Contains(h.name, n) {
			return true
		}
	}
	return len(names) == 0
}

// open runs the test with the hole open, and tells whether it has noticed.
func (h hole) open(top string) (found bool, err error) {
	dir, err := os.MkdirTemp("", "minictr-hole")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	overlay, err := h.overlay(top, dir)
	if err != nil {
		return false, err
	}
	flags, err := exec.Command("go", "env", "GOFLAGS").Output()
	if err != nil {
		return false, fmt.Errorf("go env GOFLAGS: %w", err)
	}
	// By the environment: tests build the programs under test, and these need the hole too.
	cmd := exec.Command("go", "test", "-count=1", "-vet=off", "-run", h.test, "./"+h.pkg)
	cmd.Dir = top
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="+strings.TrimSpace(string(flags)+" -overlay="+overlay))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil && strings.Contains(string(out), "no tests to run"):
		return false, fmt.Errorf("there is no test %s in %s", h.test, h.pkg)
	case err == nil:
		return false, nil
	case !errors.As(err, &exit):
		return false, err
	case !strings.Contains(string(out), "--- FAIL: "):
		return false, fmt.Errorf("the test did not run:\n%s", out)
	case !strings.Contains(string(out), h.says):
		return false, fmt.Errorf("the test fails, but does not say %q:\n%s", h.says, out)
	}
	return true, nil
}

// overlay writes the changed files into dir, and the list of them that the go
// command reads.
func (h hole) overlay(top, dir string) (string, error) {
	replace := make(map[string]string)
	for i, e := range h.edits {
		path := filepath.Join(top, e.file)
		from := path
		if changed, ok := replace[path]; ok {
			from = changed
		}
		source, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		if !strings.Contains(string(source), e.old) {
			return "", fmt.Errorf("%s no longer has %q: where would the hole be now?", e.file, e.old)
		}
		changed := filepath.Join(dir, fmt.Sprintf("%d.go", i))
		if err := os.WriteFile(changed, []byte(strings.ReplaceAll(string(source), e.old, e.new)), 0o600); err != nil {
			return "", err
		}
		replace[path] = changed
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, content, 0o600)
}

// module is the directory of go.mod.
func module() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
