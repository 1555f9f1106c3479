package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// events renders "action package test [output]" lines as go test -json would.
func events(lines ...string) string {
	var text strings.Builder
	for _, line := range lines {
		fields := append(strings.SplitN(line, "|", 4), "", "")
		fmt.Fprintf(&text, `{"Action":%q,"Package":%q,"Test":%q,"Output":%q}`+"\n", fields[0], fields[1], fields[2], fields[3])
	}
	return text.String()
}

func TestReportAndExitCode(t *testing.T) {
	allow := filepath.Join(t.TempDir(), "allow")
	if err := os.WriteFile(allow, []byte("# why\np TestHard: .*no ipvlan\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	skipped := []string{
		"pass|p|TestA", "output|p|TestHard|=== RUN   TestHard\n", "output|p|TestHard|    a_test.go:7: needs this: no ipvlan\n",
		"output|p|TestHard|--- SKIP: TestHard (0.00s)\n", "skip|p|TestHard", "pass|p|",
	}
	other := []string{"output|q|TestX|    x_test.go:1: no moon\n", "skip|q|TestX", "pass|q|"}
	for _, test := range []struct {
		name   string
		in     string
		strict bool
		code   int
		says   []string
	}{
		{"all pass", events("run|p|TestA|", "pass|p|TestA", "pass|p|"), true, 0, []string{"\n1 passed, 0 failed, 0 skipped\n"}},
		{"nothing ran", events("skip|p|"), false, 1, []string{"no test ran", "\n0 passed, 0 failed, 0 skipped\n"}},
		{
			"subtests count, their parent does not",
			events("run|p|TestA|", "run|p|TestA/x", "run|p|TestA/y", "pass|p|TestA/x", "pass|p|TestA/y", "pass|p|TestA", "pass|p|"),
			true, 0,
			[]string{"\n2 passed, 0 failed"},
		},
		{
			"a failed subtest counts once",
			events("run|p|TestA|", "run|p|TestA/x", "fail|p|TestA/x", "fail|p|TestA", "fail|p|"), false, 1,
			[]string{"\n0 passed, 1 failed"},
		},
		{
			"a parent that fails by itself counts",
			events("run|p|TestA|", "run|p|TestA/x", "pass|p|TestA/x", "fail|p|TestA", "fail|p|"), false, 1,
			[]string{"\n1 passed, 1 failed"},
		},
		{
			"a failed test's words are shown",
			events("output|p|TestA|the moon is gone\n", "fail|p|TestA", "fail|p|"), false, 1,
			[]string{"FAIL p", "the moon is gone"},
		},
		{"a passed test's words are not", events("output|p|TestA|chatter\n", "pass|p|TestA", "pass|p|"), false, 0, nil},
		{
			"a package can fail without a failed test",
			events("output|p|TestA|panic: oh\n", "fail|p|"), false, 1,
			[]string{"panic: oh", "failed as a whole", ": p\n", "0 passed, 1 failed"},
		},
		{"an expected skip passes in CI", events(skipped...), true, 0, []string{"needs this: no ipvlan\n    p TestHard", "1 passed, 0 failed, 1 skipped"}},
		{"an unexpected skip fails in CI", events(append(other, "pass|p|TestA")...), true, 1, []string{"no moon\n  ! q TestX"}},
		{"an unexpected skip passes elsewhere", events(append(other, "pass|p|TestA")...), false, 0, []string{"no moon"}},
		{"a skip is excused by the VM", events(append(other, "pass|q [vm]|TestX", "pass|q [vm]|")...), true, 0, []string{"no moon\n  + q TestX"}},
		{"other words pass through", "hello\n" + events("pass|p|TestA"), true, 0, []string{"hello\n", "1 passed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			code, err := run(strings.NewReader(test.in), &out, allow, "", test.strict)
			if err != nil || code != test.code {
				t.Errorf("exit code %d, %v; want %d", code, err, test.code)
			}
			for _, words := range test.says {
				if !strings.Contains(out.String(), words) {
					t.Errorf("does not say %q", words)
				}
			}
			if strings.Contains(out.String(), "chatter") {
				t.Error("a passed test's output is shown")
			}
			if t.Failed() {
				t.Log(out.String())
			}
		})
	}
}

func TestTheTotalsAreTheLastLine(t *testing.T) {
	var out bytes.Buffer
	if _, err := run(strings.NewReader(events("skip|p|TestA", "fail|q|")), &out, "/dev/null", "", true); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if got := lines[len(lines)-1]; got != "0 passed, 1 failed, 1 skipped" {
		t.Errorf("the last line is %q", got)
	}
}

func TestABadAllowFileIsAnError(t *testing.T) {
	allow := filepath.Join(t.TempDir(), "allow")
	if err := os.WriteFile(allow, []byte("ok\n(\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{allow, allow + ".absent"} {
		if _, err := run(strings.NewReader(""), &bytes.Buffer{}, path, "", true); err == nil {
			t.Errorf("%s is accepted", path)
		}
	}
}

// script is a command that prints events.
func script(t *testing.T, lines ...string) string {
	t.Helper()
	dir := t.TempDir()
	text := "#!/bin/sh\necho \"$@\" > " + dir + "/asked\ncat <<'END'\n" + events(lines...) + "END\n"
	path := filepath.Join(dir, "again")
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatPassesAtTheSecondTryIsFlaky(t *testing.T) {
	first := events("pass|p|TestA", "fail|p|TestB", "fail|p|", "pass|q|TestC", "pass|q|", "fail|r [vm]|")
	again := script(t, "pass|p|TestA", "pass|p|TestB", "pass|p|", "pass|r [vm]|TestD", "pass|r [vm]|")
	var out bytes.Buffer
	code, err := run(strings.NewReader(first), &out, "/dev/null", again, true)
	if err != nil || code != 0 {
		t.Errorf("code %d, %v", code, err)
	}
	for _, want := range []string{"FLAKY", "\n  p TestB\n", "\n  r [vm]\n", "\n4 passed, 0 failed, 0 skipped\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	if asked, _ := os.ReadFile(filepath.Join(filepath.Dir(again), "asked")); string(asked) != "p r [vm]\n" {
		t.Errorf("asked for %q", asked)
	}
}

func TestWhatFailsTwiceHasFailed(t *testing.T) {
	first := events("pass|p|TestA", "fail|p|TestB", "fail|p|")
	for _, second := range [][]string{{"pass|p|TestA", "fail|p|TestB", "fail|p|"}, {"fail|p|"}, {}} {
		var out bytes.Buffer
		code, err := run(strings.NewReader(first), &out, "/dev/null", script(t, second...), true)
		if err != nil || code != 1 || strings.Contains(out.String(), "FLAKY") || !strings.Contains(out.String(), "\n1 passed, 1 failed") {
			t.Errorf("%q: code %d, %v\n%s", second, code, err, &out)
		}
	}
}

func TestManyFailuresAreNoAccident(t *testing.T) {
	first := events("fail|p|TestA", "fail|p|", "fail|q|TestA", "fail|q|", "fail|r|TestA", "fail|r|", "fail|s|TestA", "fail|s|")
	var out bytes.Buffer
	code, err := run(strings.NewReader(first), &out, "/dev/null", script(t, "pass|p|TestA", "pass|p|"), true)
	if err != nil || code != 1 || !strings.Contains(out.String(), "\n0 passed, 4 failed") {
		t.Errorf("code %d, %v\n%s", code, err, &out)
	}
}
