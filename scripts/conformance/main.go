// Command conformance runs the OCI's own validation programs (opencontainers/
// runtime-tools) against an OCI runtime and prints a table.
//
//	go run . [-runtime ../../bin/minictr-oci] [-known known-failures] [-markdown FILE] [PROGRAM…]
//
// The programs come from the Go module that go.mod pins and are built here. A
// program passes if it exits with 0 and reports no "not ok". What is known to
// fail stands in the file known-failures with the reason, one a line; anything
// else that fails is an error, and so is a known failure that passes, so that
// the list can only shrink.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const suite = "github.com/opencontainers/runtime-tools"

func main() {
	runtime := flag.String("runtime", "../../bin/minictr-oci", "the runtime to test")
	known := flag.String("known", "known-failures", "file with the programs that are known to fail")
	timeout := flag.Duration("timeout", 60*time.Second, "for each program")
	markdown := flag.String("markdown", "", "write the table there too, for a document")
	logs := flag.String("logs", "", "directory that keeps the programs' output")
	flag.Parse()
	t, err := run(*runtime, *known, *logs, *timeout, flag.Args())
	if err == nil && *markdown != "" {
		err = os.WriteFile(*markdown, []byte(t.markdown()), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	if !t.finish(flag.NArg() == 0) {
		os.Exit(1)
	}
}

func run(runtime, known, logs string, timeout time.Duration, only []string) (*table, error) {
	path, err := exec.LookPath(runtime)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return nil, err
	}
	reasons, err := readKnown(known)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	programs, err := build(dir)
	if err != nil {
		return nil, err
	}
	if len(only) > 0 {
		programs = only
	}
	t := &table{reasons: reasons}
	for _, p := range programs {
		out, err := runOne(dir, path, p, timeout)
		if logs != "" {
			if err := os.WriteFile(filepath.Join(logs, p), out, 0o644); err != nil {
				return nil, err
			}
		}
		t.add(p, judge(out, err))
	}
	return t, nil
}

// build compiles the programs and puts beside them what they look for in their
// working directory.
func build(dir string) ([]string, error) {
	cmd := exec.Command("go", "build", "-o", dir+"/", suite+"/validation/...", suite+"/cmd/runtimetest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the suite: %w\n%s", err, out)
	}
	source, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", suite).Output()
	if err != nil {
		return nil, fmt.Errorf("find the suite's source: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var programs []string
	for _, e := range entries {
		if e.Name() != "runtimetest" {
			programs = append(programs, e.Name())
		}
	}
	const archive = "rootfs-amd64.tar.gz"
	b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(source)), archive))
	if err != nil {
		return nil, err
	}
	return programs, os.WriteFile(filepath.Join(dir, archive), b, 0o644)
}

// inside is what happens in there: state directories of its own below /run; a
// hugetlb hierarchy where cgroup v1 has none, for the programs that test it;
// and at the end no container is left, whatever the program forgot, nor the
// parents of the cgroups that some ask for.
const inside = `mount -t tmpfs tmpfs /run || exit
huge=/sys/fs/cgroup/hugetlb
if [ -d /sys/fs/cgroup/memory ] && ! [ -e $huge/cgroup.procs ]; then
	mkdir $huge 2>/dev/null
	mount -t cgroup -o hugetlb cgroup $huge && mounted=yes
	trap 'if [ "$mounted" ]; then umount $huge; fi; rmdir $huge' EXIT
fi
"$1"
status=$?
for id in $("$2" list -q); do "$2" delete --force "$id"; done
for dir in /sys/fs/cgroup/*/testdir; do rmdir "$dir/cgrouptest" "$dir" 2>/dev/null; done
exit $status`

// runOne runs a program in a mount namespace of its own, for some leave mounts
// behind, and with a directory of its own for what it unpacks.
func runOne(dir, runtime, program string, timeout time.Duration) ([]byte, error) {
	tmp, err := os.MkdirTemp(dir, "tmp-"+program)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--propagation", "private", "sh", "-c", inside, "sh", filepath.Join(dir, program), runtime)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "RUNTIME="+runtime, "TMPDIR="+tmp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// A file and not a pipe: a container that stays behind must not hold us up.
	out, err := os.Create(filepath.Join(tmp, "output"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	failure := cmd.Run()
	if ctx.Err() != nil {
		failure = fmt.Errorf("no end after %s", timeout)
	}
	b, err := os.ReadFile(out.Name())
	return b, errors.Join(failure, err)
}

// judge says in a few words why a program failed; empty: it passed.
func judge(out []byte, err error) string {
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "not ok") {
			return strings.TrimSpace(line)
		}
	}
	switch {
	case err != nil:
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return err.Error() + ": " + lines[len(lines)-1]
	}
	// A few programs say nothing when all is well, and only show an error.
	if !strings.HasPrefix(string(out), "ok") && !strings.Contains(string(out), "\nok") {
		if _, text, ok := strings.Cut(string(out), `"error": "`); ok {
			text, _, _ = strings.Cut(text, `\n`)
			return text
		}
	}
	return ""
}

// readKnown reads lines "program reason…"; "#" begins a comment.
func readKnown(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reasons := make(map[string]string)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, reason, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch {
		case name == "" || strings.HasPrefix(name, "#"):
		case strings.TrimSpace(reason) == "":
			return nil, fmt.Errorf("%s: %s has no reason", path, name)
		default:
			reasons[name] = strings.TrimSpace(reason)
		}
	}
	return reasons, lines.Err()
}

// table prints and counts results.
type table struct {
	reasons           map[string]string
	passed            int
	rows              []string // of the document
	expected          []string
	failed, recovered []string
}

func (t *table) add(program, failure string) {
	reason, known := t.reasons[program]
	switch {
	case failure == "":
		t.rows = append(t.rows, "| "+program+" | passes |")
	case known:
		t.rows = append(t.rows, "| "+program+" | fails: "+reason+" |")
	default:
		t.rows = append(t.rows, "| "+program+" | fails |")
	}
	switch {
	case failure == "" && known:
		t.recovered = append(t.recovered, program)
		fmt.Printf("%-40s PASS, but is in the list of known failures\n", program)
	case failure == "":
		t.passed++
		fmt.Printf("%-40s pass\n", program)
	case known:
		t.expected = append(t.expected, program)
		fmt.Printf("%-40s known: %s\n", program, reason)
	default:
		t.failed = append(t.failed, program)
		fmt.Printf("%-40s FAIL: %s\n", program, failure)
	}
}

// markdown is the table for a document: what a program says when it fails is
// not always the same, and not in there.
func (t *table) markdown() string {
	passed := t.passed + len(t.recovered)
	return fmt.Sprintf("%d of %d programs pass.\n\n| program | result |\n|---|---|\n%s\n", passed, len(t.rows), strings.Join(t.rows, "\n"))
}

// finish prints the count; whole says that all programs were run.
func (t *table) finish(whole bool) bool {
	total := t.passed + len(t.recovered) + len(t.expected) + len(t.failed)
	fmt.Printf("%d of %d programs pass, %d fail as known, %d fail\n", t.passed+len(t.recovered), total, len(t.expected), len(t.failed))
	if whole {
		for name := range t.reasons {
			if !slices.Contains(t.expected, name) && !slices.Contains(t.recovered, name) {
				fmt.Printf("%s is in the list of known failures and not in the suite\n", name)
				return false
			}
		}
	}
	return len(t.failed)+len(t.recovered) == 0
}
