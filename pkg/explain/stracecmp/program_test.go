package stracecmp

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"minictr/pkg/step"
)

// TestTheWholeProgramTellsTheTruth runs minictr itself, its shim and a
// container under strace, in a network namespace of their own.
func TestTheWholeProgramTellsTheTruth(t *testing.T) {
	needStrace(t)
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "minictr/cmd/minictr", "minictr/cmd/minictr-shim")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	state := t.TempDir()
	run := func(log string, args ...string) (*exec.Cmd, *bytes.Buffer) {
		argv := append([]string{filepath.Join(bin, "minictr")}, args...)
		if log != "" {
			argv = Argv(log, argv...)
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "MINICTR_ROOT="+filepath.Join(state, "root"), "MINICTR_RUN="+filepath.Join(state, "run"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		var told bytes.Buffer
		cmd.Stderr = &told
		return cmd, &told
	}
	if cmd, told := run("", "plan", "--json", "busybox", "true"); cmd.Run() != nil {
		t.Skipf("no image can be had: %s", told)
	}
	for name, args := range map[string][]string{
		"bridge": {"run", "--rm", "--explain=json", "-p", "8080:80", "-m", "64m", "--pids-limit", "50", "busybox", "echo", "hello"},
		"none":   {"run", "--rm", "--explain=json", "--network", "none", "--read-only", "-u", "1:1", "busybox", "true"},
		"users":  {"run", "--rm", "--explain=json", "--network", "none", "--userns", "auto", "-v", state + ":/v:ro", "busybox", "true"},
		"fails":  {"run", "--rm", "--explain=json", "busybox", "/no/such/program"},
	} {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "strace")
			cmd, told := run(log, args...)
			out, err := cmd.Output()
			if name == "fails" && cmd.ProcessState.ExitCode() != 127 || name != "fails" && err != nil {
				t.Fatalf("%v\n%s\n%s", err, out, told)
			}
			var events []step.Event
			for line := range strings.Lines(told.String()) {
				var e step.Event
				if json.Unmarshal([]byte(line), &e) == nil {
					events = append(events, e)
				}
			}
			if count(events) < 100 {
				t.Errorf("only %d calls were told", count(events))
			}
			for _, d := range Compare(readTrace(t, log), events, Options{Ignore: starting}) {
				t.Error(d)
			}
		})
	}
}

// starting ignores the start of minictr and of the shim.
func starting(l Line) bool {
	return l.Name == "execve" && (l.Number == 1 || strings.Contains(l.Args[0], "minictr-shim"))
}
