package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestTheLifeOfAContainerHasItsStates(t *testing.T) {
	b := newBench(t)
	b.program("sleep", "1000")
	b.save()
	pidFile := filepath.Join(b.dir, "pid")
	b.do("create", "--pid-file", pidFile, b.id)
	created := b.state()
	if created.Status != specs.StateCreated || created.Bundle != b.bundle || created.ID != b.id {
		t.Errorf("after create: %+v", created)
	}
	pid, err := os.ReadFile(pidFile)
	if err != nil || string(pid) != strconv.Itoa(created.Pid) {
		t.Errorf("pid file: %q %v, want %d", pid, err, created.Pid)
	}
	b.do("start", b.id)
	b.await(specs.StateRunning)
	if out := b.do("list", "-q"); strings.TrimSpace(out) != b.id {
		t.Errorf("list -q: %q", out)
	}
	b.do("pause", b.id)
	if s := b.status(); s != "paused" {
		t.Errorf("after pause: %s", s)
	}
	b.do("resume", b.id)
	b.await(specs.StateRunning)
	b.do("kill", b.id, "KILL")
	b.await(specs.StateStopped)
	b.do("delete", b.id)
	b.fail(1, "container does not exist", "state", b.id)
}

func TestWrongMomentsAreErrorsAndChangeNothing(t *testing.T) {
	b := newBench(t)
	b.program("sleep", "1000")
	b.save()
	b.fail(1, "container does not exist", "start", b.id)
	b.fail(1, "container does not exist", "delete", b.id)
	b.do("delete", "--force", b.id)
	b.do("create", b.id)
	b.fail(1, "container with given ID already exists", "create", b.id)
	b.fail(1, "that is not stopped: created", "delete", b.id)
	b.fail(1, "container not paused", "resume", b.id)
	b.do("start", b.id)
	b.fail(1, "cannot start an already running container", "start", b.id)
	b.fail(1, "that is not stopped: running", "delete", b.id)
	b.fail(1, "unknown signal", "kill", b.id, "NOSIGNAL")
	b.do("pause", b.id)
	b.fail(255, "cannot exec in a paused container", "exec", b.id, "true")
	b.do("resume", b.id)
	b.do("kill", b.id, "9")
	b.await(specs.StateStopped)
	b.fail(1, "container not running", "kill", b.id)
	b.fail(1, "cannot start a container that has stopped", "start", b.id)
	b.fail(1, "container not running", "pause", b.id)
	b.fail(255, "cannot exec in a stopped container", "exec", b.id, "true")
	b.do("delete", b.id)
}

func TestIdsCannotBePaths(t *testing.T) {
	b := newBench(t)
	b.program("true")
	b.save()
	for _, id := range []string{"../x", "a/b", "/etc", ".", "..", "a b", "a\nb", "ä"} {
		b.fail(1, "invalid container ID format", "create", id)
		b.fail(1, "invalid container ID format", "delete", "--force", id)
	}
	b.fail(1, "container id cannot be empty", "create", "")
	b.fail(1, `"create" requires exactly 1 argument(s)`, "create")
}

func TestAFailedCreateLeavesNothing(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*specs.Spec)
		message string
	}{
		"no such program":    {func(s *specs.Spec) { s.Process.Args = []string{"nosuch"} }, `exec: "nosuch": executable file not found in $PATH`},
		"no such path":       {func(s *specs.Spec) { s.Process.Args = []string{"/no/such"} }, `exec: "/no/such": stat /no/such: no such file or directory`},
		"not executable":     {func(s *specs.Spec) { s.Process.Args = []string{"/etc"} }, `exec: "/etc": permission denied`},
		"no arguments":       {func(s *specs.Spec) { s.Process.Args = nil }, "process.args must not be empty"},
		"no process":         {func(s *specs.Spec) { s.Process = nil }, "process is missing"},
		"no root":            {func(s *specs.Spec) { s.Root = nil }, "root.path is missing"},
		"relative cwd":       {func(s *specs.Spec) { s.Process.Cwd = "tmp" }, "must be an absolute path"},
		"unknown version":    {func(s *specs.Spec) { s.Version = "9.9.9" }, "ociVersion"},
		"unknown capability": {func(s *specs.Spec) { s.Process.Capabilities.Bounding = []string{"CAP_NOSUCH"} }, "unknown capability"},
		"unknown rlimit":     {func(s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_X"}} }, "unknown resource limit"},
		"missing volume": {func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Type: "bind", Source: "/no/such"})
		}, "/no/such"},
		"unknown namespace": {func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "moon"})
		}, "moon"},
		"namespace not there": {func(s *specs.Spec) { s.Linux.Namespaces[0].Path = "/no/such/ns" }, "/no/such/ns"},
		"unknown file system": {func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Type: "nosuchfs", Source: "x"})
		}, "fsopen"},
		"failing hook":       {func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/false"}}} }, "exit code 1"},
		"failing inner hook": {func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/false"}}} }, "exit code 1"},
		//lint:ignore SA1019 deprecated and in use
		"missing hook":         {func(s *specs.Spec) { s.Hooks = &specs.Hooks{Prestart: []specs.Hook{{Path: "/no/such"}}} }, "/no/such"},
		"terminal, no socket":  {func(s *specs.Spec) { s.Process.Terminal = true }, "console socket"},
		"impossible sysctl":    {func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"net.nosuch": "1"} }, "/proc/sys/net/nosuch"},
		"cgroup path with ..":  {func(s *specs.Spec) { s.Linux.CgroupsPath = "/../x" }, "cgroup path"},
		"unknown seccomp word": {func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_PERHAPS"} }, "SCMP_ACT_PERHAPS"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.program("true")
			test.change(b.spec)
			b.save()
			b.fail(1, test.message, "create", b.id)
			b.fail(1, "container does not exist", "state", b.id)
			if left := b.containers(); len(left) > 0 {
				t.Errorf("left in the state directory: %v", left)
			}
		})
	}
}

func TestErrorsGoToTheLogAsJSON(t *testing.T) {
	b := newBench(t)
	log := filepath.Join(b.dir, "log.json")
	r, err := b.try("--log", log, "--log-format", "json", "state", "nobody")
	if err != nil || r.code != 1 || strings.TrimSpace(r.out) != "container does not exist" {
		t.Errorf("exit status %d, %v:\n%s", r.code, err, r.out)
	}
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var line map[string]string
	if err := json.Unmarshal(content, &line); err != nil {
		t.Fatalf("%v: %s", err, content)
	}
	if line["level"] != "error" || line["msg"] != "container does not exist" || line["time"] == "" {
		t.Errorf("log: %s", content)
	}
}

func TestRunReturnsTheProgramsExitStatus(t *testing.T) {
	b := newBench(t)
	b.program("sh", "-c", "exit 42")
	b.save()
	if r, err := b.try("run", b.id); err != nil || r.code != 42 {
		t.Errorf("exit status %d, want 42: %v\n%s", r.code, err, r.out)
	}
	b.program("sh", "-c", "kill -KILL $$; sleep 5")
	b.spec.Linux.Namespaces = b.spec.Linux.Namespaces[1:] // not process 1, which no signal of its own kills
	b.save()
	if r, err := b.try("run", b.id); err != nil || r.code != 137 {
		t.Errorf("exit status %d, want 137: %v\n%s", r.code, err, r.out)
	}
	b.fail(1, "container does not exist", "state", b.id)
}

func TestKeepKeepsTheContainer(t *testing.T) {
	b := newBench(t)
	b.program("true")
	b.save()
	b.do("run", "--keep", b.id)
	if s := b.status(); s != specs.StateStopped {
		t.Errorf("status %s", s)
	}
	b.do("delete", b.id)
}

func TestPreservedDescriptorsReachTheProgramAndNoOthersDo(t *testing.T) {
	b := newBench(t)
	b.program("sh", "-c", "cat <&3; ls /proc/self/fd; echo $LISTEN_FDS $LISTEN_PID")
	b.save()
	file := filepath.Join(b.dir, "given")
	if err := os.WriteFile(file, []byte("given\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	given, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	other, err := os.Open("/etc")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r, err := b.tryWith(func(c *exec.Cmd) { c.ExtraFiles = []*os.File{given, other} }, "run", "--preserve-fds", "1", b.id)
	if err != nil || r.code != 0 {
		t.Fatalf("exit status %d %v\n%s", r.code, err, r.out)
	}
	// 4 is the directory that ls reads.
	if got := strings.Join(strings.Fields(r.out), " "); got != "given 0 1 2 3 4" {
		t.Errorf("output %q", got)
	}
	b.fail(1, "descriptor 3 is not open", "run", "--preserve-fds", "1", b.id)
}

func TestListenFDsReachTheProgram(t *testing.T) {
	b := newBench(t)
	b.program("sh", "-c", "cat <&3; echo $LISTEN_FDS $LISTEN_PID")
	b.save()
	file, err := os.Create(filepath.Join(b.dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := b.tryWith(func(c *exec.Cmd) {
		c.ExtraFiles = []*os.File{file}
		c.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_PID=1")
	}, "run", b.id)
	if err != nil || strings.TrimSpace(r.out) != "1 1" {
		t.Errorf("%v: %q", err, r.out)
	}
}

func TestSpecWritesABundleThatRuns(t *testing.T) {
	b := newBench(t)
	b.do("spec")
	b.fail(1, "config.json exists", "spec")
	content, err := os.ReadFile(filepath.Join(b.bundle, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	b.spec = new(specs.Spec)
	if err := json.Unmarshal(content, b.spec); err != nil {
		t.Fatal(err)
	}
	b.spec.Process.Terminal = false
	b.spec.Process.Rlimits = nil
	if out := b.run("hostname"); out != "minictr\n" {
		t.Errorf("output %q", out)
	}
}

func TestFeaturesAreTheSpecificationsJSON(t *testing.T) {
	b := newBench(t)
	var list struct {
		OCIVersionMax string
		Hooks         []string
		MountOptions  []string
		Linux         struct{ Namespaces, Capabilities []string }
	}
	if err := json.Unmarshal([]byte(b.do("features")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Hooks) != 6 || len(list.Linux.Namespaces) != 8 || len(list.MountOptions) < 40 || len(list.Linux.Capabilities) < 40 {
		t.Errorf("features: %+v", list)
	}
}

// An engine that stops a container which it has not started yet sends it the
// usual signal, and the process is process 1, which the kernel protects.
func TestACreatedContainerEndsWhenItIsAskedTo(t *testing.T) {
	for _, signal := range []string{"TERM", "INT", "HUP", "QUIT"} {
		b := newBench(t)
		b.program("sleep", "1000")
		b.save()
		b.do("create", b.id)
		b.do("kill", b.id, "WINCH")
		b.do("kill", b.id, signal)
		b.await(specs.StateStopped)
		b.fail(1, "cannot start a container that has stopped", "start", b.id)
		b.do("delete", b.id)
	}
	// The program itself starts with the default actions.
	b := newBench(t)
	b.program("sleep", "1000")
	b.save()
	b.do("create", b.id)
	status := filepath.Join("/proc", strconv.Itoa(b.state().Pid), "status")
	b.do("start", b.id)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(status)
		if err == nil && strings.HasPrefix(string(text), "Name:\tsleep\n") && strings.Contains(string(text), "SigCgt:\t0000000000000000\n") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v\n%s", err, text)
		}
	}
}
