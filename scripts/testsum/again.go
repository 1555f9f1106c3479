package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// mostAgain is how many failed packages are worth a second try. More than that is no accident.
const mostAgain = 3

// again runs the packages that failed once more and believes the second run, but tells which tests needed it: they are
// FLAKY, and each of them is a bug of the test or of the program. Tests that watch real kernels, clocks and processes
// fail now and then on a machine that is busy; one such failure must not hide what the other thousand found.
func (r *results) again(command string, out io.Writer) error {
	failed := r.failedPackages()
	if command == "" || len(failed) == 0 || len(failed) > mostAgain {
		return nil
	}
	fmt.Fprintf(out, "\nonce more: %s\n", strings.Join(failed, ", "))
	words := strings.Fields(command)
	cmd := exec.Command(words[0], append(words[1:], failed...)...)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("run %s once more: %w", strings.Join(failed, ", "), err)
	}
	second, err := collect(events, out)
	_ = cmd.Wait() // the events tell
	if err != nil {
		return err
	}
	r.replace(failed, second)
	return nil
}

func (r *results) failedPackages() []string {
	failed := slices.Clone(r.broken)
	for _, test := range r.order {
		if r.outcome[test] == "fail" {
			failed = append(failed, test.pkg)
		}
	}
	slices.Sort(failed)
	return slices.Compact(failed)
}

// replace puts the second results of packages that have passed now in the place of the first ones.
func (r *results) replace(packages []string, second *results) {
	for _, pkg := range packages {
		if passed, failed, _ := second.count(pkg); passed == 0 || failed > 0 || slices.Contains(second.broken, pkg) {
			continue
		}
		if slices.Contains(r.broken, pkg) {
			r.flaky = append(r.flaky, pkg)
		}
		for _, test := range r.order {
			if test.pkg == pkg && r.outcome[test] == "fail" && !r.parent[test] {
				r.flaky = append(r.flaky, pkg+" "+test.test)
			}
		}
		r.broken = slices.DeleteFunc(r.broken, func(p string) bool { return p == pkg })
		for _, test := range r.order {
			if test.pkg == pkg {
				delete(r.outcome, test)
			}
		}
		r.order = slices.DeleteFunc(r.order, func(test key) bool { return test.pkg == pkg })
		for _, test := range second.order {
			if test.pkg == pkg {
				r.order = append(r.order, test)
				r.outcome[test], r.output[test], r.parent[test] = second.outcome[test], second.output[test], second.parent[test]
			}
		}
	}
}
