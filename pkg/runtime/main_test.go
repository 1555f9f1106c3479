package runtime_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/image/layer"
	"minictr/pkg/kernel"
	"minictr/pkg/overlay"
	"minictr/pkg/process"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
	"minictr/rootfs"
)

//minictr:vm

// The test binary is also the shim of its own containers: run as
// "<binary> run-plan BUNDLE FAULT", it runs the plan on its main thread and
// waits for the container, or is killed by the fault on the way.
func TestMain(m *testing.M) {
	goruntime.LockOSThread()
	if len(os.Args) == 4 && os.Args[1] == "run-plan" {
		os.Exit(runPlan(os.Args[2], os.Args[3]))
	}
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	os.Exit(m.Run())
}

func runPlan(bundle, fault string) int {
	c, err := runtime.Load(bundle)
	if err != nil {
		return complain(err)
	}
	plan, err := runtime.Plan(c, runtime.IO{})
	if err != nil {
		return complain(err)
	}
	journal, err := step.OpenJournal(filepath.Join(bundle, "journal"))
	if err != nil {
		return complain(err)
	}
	r := step.Runner{Journal: journal, Slots: stdio()}
	if fault != "" {
		r.Fault = step.Fault{Step: fault, Kill: true, Die: func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }}
	}
	p, err := r.Run(plan)
	if err != nil {
		return complain(err)
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(p.PID, &ws, 0, nil); err != nil {
		return complain(err)
	}
	names, _ := step.ReadJournal(filepath.Join(bundle, "journal"))
	if err := step.Undo(plan, names, nil); err != nil {
		return complain(err)
	}
	return ws.ExitStatus()
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 125
}

func stdio() map[kernel.Slot]int {
	slots := make(map[kernel.Slot]int)
	for i, s := range []kernel.Slot{process.Stdin, process.Stdout, process.Stderr} {
		slots[s], _ = syscall.Dup(i)
	}
	return slots
}

// ownStdio is stdio for plans that the test runs itself.
func ownStdio(t *testing.T) map[kernel.Slot]int {
	slots := stdio()
	t.Cleanup(func() {
		for _, fd := range slots {
			_ = syscall.Close(fd)
		}
	})
	return slots
}

// newBundle makes a bundle of the base image that runs a shell command.
func newBundle(t *testing.T, script string, edit ...func(*runtime.Config)) *runtime.Config {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make containers")
	}
	dir := t.TempDir()
	base := filepath.Join(dir, "base")
	for _, d := range []string{"base", "upper", "work", "rootfs"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tarball, err := rootfs.Tarball()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layer.Extract(t.Context(), bytes.NewReader(tarball), base, layer.Promise{}, layer.Limits{}); err != nil {
		t.Fatal(err)
	}
	c := &runtime.Config{
		ID: fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano()), Bundle: dir,
		Overlay: &overlay.Layers{Lower: []string{base}, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")},
		Spec:    spec(script),
	}
	for _, e := range edit {
		e(c)
	}
	if err := runtime.Save(c); err != nil {
		t.Fatal(err)
	}
	return c
}

func spec(script string) *specs.Spec {
	caps := []string{"CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETUID", "CAP_SETGID"}
	mount := func(dst, typ string, options ...string) specs.Mount {
		return specs.Mount{Destination: dst, Type: typ, Source: typ, Options: options}
	}
	return &specs.Spec{
		Version: "1.2.0", Hostname: "boxy",
		Root: &specs.Root{Path: "rootfs"},
		Process: &specs.Process{
			Args: []string{"sh", "-c", script}, Cwd: "/", Env: []string{"PATH=/bin:/usr/bin:/sbin"},
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
		},
		Mounts: []specs.Mount{
			mount("/proc", "proc", "nosuid", "noexec", "nodev"),
			mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
			mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
			mount("/dev/shm", "tmpfs", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
			mount("/dev/mqueue", "mqueue", "nosuid", "noexec", "nodev"),
			mount("/sys", "sysfs", "nosuid", "noexec", "nodev", "ro"),
			mount("/sys/fs/cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
		},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: "pid"}, {Type: "mount"}, {Type: "ipc"}, {Type: "uts"}, {Type: "network"}, {Type: "cgroup"},
			},
			MaskedPaths:   []string{"/proc/acpi", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/nowhere"},
			ReadonlyPaths: []string{"/proc/sys", "/proc/bus", "/nowhere"},
		},
	}
}

// run runs the bundle in a process of its own, as the shim does.
func run(t *testing.T, c *runtime.Config, fault string) (out string, code int) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "out") // a file, for a pipe could be held open by what leaks
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command("/proc/self/exe", "run-plan", c.Bundle, fault)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	if !timer.Stop() {
		t.Fatalf("the container did not end: %v", err)
	}
	b, _ := os.ReadFile(f.Name())
	return string(b), cmd.ProcessState.ExitCode()
}

// mustRun runs a script and returns what it said.
func mustRun(t *testing.T, c *runtime.Config) string {
	t.Helper()
	out, code := run(t, c, "")
	if code != 0 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	return out
}

func lines(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") }
