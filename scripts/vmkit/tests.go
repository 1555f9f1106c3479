package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A package whose tests want the VM says so in one of its _test.go files with a line of its own:
//
//	//minictr:vm                       all its tests
//	//minictr:vm TestFreezer|TestPids  those that match (as in go test -run); several lines add up
//
// Its test binary then runs in the VM too, as root, in a directory that holds its testdata, with ./bin in the PATH and
// in MINICTR_BIN, and with MINICTR_VM=1. All packages share one boot.
var vmDirective = regexp.MustCompile(`(?m)^//minictr:vm(?:[ \t]+(\S+))?[ \t]*$`)

// testPackage is one package that runs in the VM.
type testPackage struct {
	Name string // import path
	Dir  string
	Run  string // -test.run pattern; empty: all
}

// event is a line of go test -json (see `go doc test2json`); only what we write ourselves.
type event struct {
	Time    time.Time
	Action  string
	Package string
	Output  string `json:",omitempty"`
}

// inVM marks results from the VM where they stand beside the host's for the same package.
const inVM = " [vm]"

// runTests builds, boots once, runs, and converts what comes out. Its exit code is 1 if a test failed.
func runTests(m *Machine, patterns []string) (int, error) {
	out, finish, err := m.eventSink()
	if err != nil {
		return 0, err
	}
	failed, err := m.testAll(out, patterns)
	if err != nil {
		// Said as an event too: who reads only those must not take a VM that never ran for one without failures.
		fail(out, "VM", err.Error()+"\n")
	}
	if summary := finish(); summary != nil {
		failed = true
	}
	if err == nil && failed {
		return 1, nil
	}
	return 0, err
}

func (m *Machine) testAll(out io.Writer, patterns []string) (failed bool, err error) {
	packages, err := findTestPackages(patterns)
	if err != nil || len(packages) == 0 {
		return false, err
	}
	dir, err := os.MkdirTemp("", "minictr-vm-tests-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	var built []testPackage
	for _, p := range packages {
		m.say("building the tests of %s", p.Name)
		if said, err := p.build(filepath.Join(dir, p.file())); err != nil {
			fail(out, p.Name+inVM, string(said))
			failed = true
			continue
		}
		built = append(built, p)
	}
	if len(built) == 0 {
		return failed, nil
	}
	bootFailed, err := m.testInOneBoot(out, dir, built)
	return failed || bootFailed, err
}

// testInOneBoot runs the built test binaries one after the other in one VM.
func (m *Machine) testInOneBoot(out io.Writer, dir string, packages []testPackage) (bool, error) {
	var script strings.Builder
	script.WriteString("exec 2>&1\n")
	for _, p := range packages {
		m.Files = append(m.Files, File{filepath.Join(dir, p.file()), "/vm/tests/" + p.file()})
		if data := filepath.Join(p.Dir, "testdata"); isDir(data) {
			m.Files = append(m.Files, File{data, p.workDir() + "/testdata"})
		}
		fmt.Fprintf(&script, "mkdir -p %s && cd %s\n", quote(p.workDir()), quote(p.workDir()))
		fmt.Fprintf(&script, "echo %s\n", quote(beginMark+p.Name))
		fmt.Fprintf(&script, "/vm/tests/%s -test.v=test2json -test.timeout=10m -test.run=%s\n", p.file(), quote(p.Run))
		fmt.Fprintf(&script, "code=$?; echo; echo %s$code\n", quote(endMark)) // on a line of its own, whatever came before
	}
	if isDir("bin") {
		m.Env = append(m.Env, "MINICTR_BIN=/usr/local/bin")
	}
	if ci := os.Getenv("CI"); ci != "" {
		m.Env = append(m.Env, "CI="+ci)
	}
	m.Command = []string{"sh", "-c", script.String()}
	if m.Timeout == 0 {
		m.Timeout = 20 * time.Minute
	}
	read, write, err := os.Pipe()
	if err != nil {
		return false, err
	}
	defer read.Close()
	m.Stdout = write
	converted := make(chan bool)
	go func() { converted <- convert(out, read, packages) }() // ends when the VM's last writer closes the pipe
	_, err = m.Run()
	write.Close()
	return <-converted, err
}

// findTestPackages lists the packages with the directive, by the go command's patterns (default: all).
func findTestPackages(patterns []string) ([]testPackage, error) {
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	list := exec.Command("go", append([]string{"list", "-f", "{{.ImportPath}}\t{{.Dir}}"}, patterns...)...)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages: %w", err)
	}
	var packages []testPackage
	for line := range strings.Lines(string(out)) {
		name, dir, _ := strings.Cut(strings.TrimSpace(line), "\t")
		wants, run, err := readDirectives(os.DirFS(dir))
		if err != nil {
			return nil, err
		}
		if wants {
			packages = append(packages, testPackage{Name: name, Dir: dir, Run: run})
		}
	}
	return packages, nil
}

// readDirectives looks through a package's test files. One directive without a pattern takes all tests.
func readDirectives(dir fs.FS) (wants bool, run string, err error) {
	files, err := fs.Glob(dir, "*_test.go")
	if err != nil {
		return false, "", err
	}
	var patterns []string
	for _, name := range files {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return false, "", err
		}
		for _, match := range vmDirective.FindAllSubmatch(text, -1) {
			patterns = append(patterns, string(match[1]))
		}
	}
	if len(patterns) == 0 || slices.Contains(patterns, "") {
		return len(patterns) > 0, "", nil
	}
	return true, strings.Join(patterns, "|"), nil
}

// build compiles the package's tests for the VM: static, and without symbols, which would only take memory there.
func (p testPackage) build(output string) ([]byte, error) {
	command := exec.Command("go", "test", "-c", "-ldflags", "-s -w", "-o", output, p.Name)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	return command.CombinedOutput()
}

func (p testPackage) file() string    { return strings.ReplaceAll(p.Name, "/", ".") + ".test" }
func (p testPackage) workDir() string { return path.Join("/vm/work", p.Name) }

// Lines that frame each package's output. The control character keeps them apart from anything a test prints.
const (
	beginMark = "\x16vm-begin "
	endMark   = "\x16vm-end "
)

// convert reads the VM's output to its end and writes go test's JSON events, package by package. It reports whether a
// package failed, did not end, or never began (then the VM died before).
func convert(out io.Writer, from io.Reader, packages []testPackage) (failed bool) {
	lines := bufio.NewReader(from)
	missing := map[string]bool{}
	for _, p := range packages {
		missing[p.Name] = true
	}
	for {
		line, err := lines.ReadString('\n')
		if name, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), beginMark); ok {
			delete(missing, name)
			failed = convertPackage(out, lines, name) || failed
		}
		if err != nil {
			break
		}
	}
	for _, p := range packages {
		if missing[p.Name] {
			fail(out, p.Name+inVM, "the VM ended before these tests began\n")
			failed = true
		}
	}
	return failed
}

// convertPackage sends one package's lines through test2json up to its end mark.
func convertPackage(out io.Writer, lines *bufio.Reader, name string) (failed bool) {
	var events bytes.Buffer
	converter := exec.Command("go", "tool", "test2json", "-t", "-p", name+inVM)
	converter.Stdout, converter.Stderr = &events, os.Stderr
	into, err := converter.StdinPipe()
	if err == nil {
		err = converter.Start()
	}
	if err != nil {
		fail(out, name+inVM, "test2json: "+err.Error()+"\n")
		return true
	}
	code := "the VM ended"
	for {
		line, err := lines.ReadString('\n')
		if rest, ok := strings.CutPrefix(line, endMark); ok {
			code = strings.TrimSpace(rest)
			break
		}
		_, _ = io.WriteString(into, line) // a converter that died is noticed by its exit code
		if err != nil {
			break
		}
	}
	into.Close()
	if err := converter.Wait(); err != nil {
		code = "test2json: " + err.Error()
	}
	_, _ = out.Write(events.Bytes())
	said := packageOutcome(events.Bytes())
	if code == "0" && (said == "pass" || said == "skip") {
		return false
	}
	// A binary that panics or is killed ends without a word that test2json takes for the package's failure.
	if said != "fail" {
		fail(out, name+inVM, "ended without a result of its own; exit code: "+code+"\n")
	}
	return true
}

// packageOutcome finds the event that says how the package as a whole went; empty if there is none.
func packageOutcome(events []byte) (action string) {
	for line := range bytes.Lines(events) {
		var e struct{ Action, Test string }
		if json.Unmarshal(line, &e) == nil && e.Test == "" && slices.Contains([]string{"pass", "fail", "skip"}, e.Action) {
			action = e.Action
		}
	}
	return action
}

// eventSink is where the events go: to standard output as they are, or through the summariser. finish waits for it.
func (m *Machine) eventSink() (out io.Writer, finish func() error, err error) {
	if m.JSON {
		return os.Stdout, func() error { return nil }, nil
	}
	summary := exec.Command("go", "run", "./scripts/testsum")
	summary.Stdout, summary.Stderr = os.Stdout, os.Stderr
	into, err := summary.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := summary.Start(); err != nil {
		return nil, nil, fmt.Errorf("start the summariser: %w", err)
	}
	return into, func() error {
		into.Close()
		return summary.Wait()
	}, nil
}

// fail reports a package as failed, with the reason.
func fail(out io.Writer, name, reason string) {
	emit(out, event{Action: "output", Package: name, Output: reason})
	emit(out, event{Action: "fail", Package: name})
}

func emit(out io.Writer, e event) {
	e.Time = time.Now()
	line, err := json.Marshal(e)
	if err != nil {
		panic(err) // plain strings and a time always marshal
	}
	_, _ = out.Write(append(line, '\n')) // a reader that went away reports itself
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
