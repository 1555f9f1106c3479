package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"minictr/pkg/leak"
)

// TestRealEnginesUseTheRuntime has every engine that is installed go through all checks, in a room.
func TestRealEnginesUseTheRuntime(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: the engines do, and the room they live in")
	}
	if testing.Short() {
		t.Skip("-short: this takes half a minute")
	}
	dir := t.TempDir()
	for name, pkg := range map[string]string{
		"minictr-oci": "minictr/cmd/minictr-oci", "benchkit": "minictr/scripts/benchkit", "engines": "minictr/scripts/engines",
	} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	temp := filepath.Join(dir, "minictr-bench-temp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	leak.Watch{Tokens: []string{"minictr-bench", dir}}.Check(t)
	file := filepath.Join(dir, "results.json")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(dir, "benchkit"), "-bin", dir, "room", filepath.Join(dir, "engines"), "-json", file)
	cmd.Env = append(os.Environ(), "BENCH_TEMP="+temp)
	cmd.Stdout, cmd.Stderr = log, log
	failure := cmd.Run()
	said, _ := os.ReadFile(log.Name())
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v, %v\n%s", failure, err, said)
	}
	var results []result
	if err := json.Unmarshal(text, &results); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", said)
	for _, r := range results {
		t.Run(r.Engine+" "+r.What, func(t *testing.T) {
			switch {
			case r.Failure != "":
				t.Error(r.Failure)
			case r.What == "":
				t.Skip(r.Skipped)
			}
		})
	}
}

func TestTheTableHasAColumnForEachEngineAndAllReasons(t *testing.T) {
	got := table([]result{
		{Engine: "a", Version: "1.0", What: "run"},
		{Engine: "a", Version: "1.0", What: "pause", Skipped: "it cannot"},
		{Engine: "b", Version: "2.0", What: "run", Failure: "no luck"},
		{Engine: "c", Skipped: "not here"},
	})
	for _, want := range []string{
		"| | a 1.0 | b 2.0 |\n|---|---|---|\n", "| run | works | FAIL |\n", "| pause | – | not tried |\n",
		"\na, pause: it cannot\n", "\nb, run: no luck\n", "\nc: not here\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestVersionsAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3": "1.6.20",
		"podman version 4.3.1":                         "4.3.1",
		"Docker version 20.10.24+dfsg1, build 297e128": "20.10.24+dfsg1",
		"nothing that looks like one":                  "?",
	} {
		if got := versionIn(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
