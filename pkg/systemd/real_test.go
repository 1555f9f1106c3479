package systemd_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The VM has systemd's program, and a cgroup tree that nobody else looks after.
//
//minictr:vm

// world is a real systemd, process 1 of namespaces of its own, that manages the
// VM's cgroups; and minictr-oci beside it.
type world struct {
	t   *testing.T
	pid int
	dir string
}

const program = "/lib/systemd/systemd"

func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Getenv("MINICTR_VM") == "" {
		t.Skip("a second systemd would take over this machine's cgroups: runs in the VM")
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("needs systemd (Debian and Ubuntu: package systemd)")
	}
	w := &world{t: t, dir: t.TempDir()}
	if err := os.MkdirAll("/etc/systemd/system", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/etc/systemd/system/test.target", []byte("[Unit]\nDescription=nothing\nDefaultDependencies=no\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(w.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	// Mounts of its own, so that what it makes in /run is gone with it.
	cmd := exec.Command("/bin/busybox", "sh", "-c", "mount --make-rprivate / && mount -t proc proc /proc && mount -t tmpfs tmpfs /run && exec "+program+
		" --system --unit=test.target --log-target=console --log-level=info --show-status=no")
	cmd.Env = []string{"container=minictr-test", "PATH=/bin"}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.pid = cmd.Process.Pid
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // all of its pid namespace
		_ = cmd.Wait()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("systemd said:\n%s", said)
		}
		for _, dir := range []string{"init.scope", "system.slice", "machine.slice", "test.slice"} {
			removeGroups("/sys/fs/cgroup/" + dir)
		}
	})
	w.wait("systemd is there", func() bool {
		_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(w.pid), "root/run/systemd/private"))
		return err == nil
	})
	return w
}

func removeGroups(dir string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeGroups(filepath.Join(dir, e.Name()))
		}
	}
	_ = syscall.Rmdir(dir)
}

func (w *world) wait(what string, is func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within a minute: %s", what)
		}
	}
}

// oci runs minictr-oci where systemd is process 1.
func (w *world) oci(args ...string) (string, error) {
	w.t.Helper()
	bin := filepath.Join(os.Getenv("MINICTR_BIN"), "minictr-oci")
	cmd := exec.Command("/bin/busybox", append([]string{"nsenter", "-t", strconv.Itoa(w.pid), "-m", "-p", bin, "--root", w.dir + "/state", "--systemd-cgroup"}, args...)...)
	// Files: the container keeps them open.
	out, err := os.Create(filepath.Join(w.dir, "out"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	said, _ := os.ReadFile(out.Name())
	return string(said), err
}

func (w *world) must(args ...string) string {
	w.t.Helper()
	out, err := w.oci(args...)
	if err != nil {
		w.t.Fatalf("minictr-oci %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// bundle is a root with a busybox, and a configuration.
func (w *world) bundle(cgroupsPath string, annotations map[string]string) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, "bundle")
	if err := os.MkdirAll(dir+"/rootfs/bin", 0o755); err != nil {
		w.t.Fatal(err)
	}
	for _, name := range []string{"busybox", "sh", "sleep"} {
		if out, err := exec.Command("cp", "/bin/busybox", filepath.Join(dir, "rootfs/bin", name)).CombinedOutput(); err != nil {
			w.t.Fatalf("%v: %s", err, out)
		}
	}
	w.must("spec", "-b", dir)
	var config map[string]any
	b, err := os.ReadFile(dir + "/config.json")
	if err == nil {
		err = json.Unmarshal(b, &config)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	process := config["process"].(map[string]any)
	process["terminal"], process["args"] = false, []string{"/bin/sleep", "1000"}
	linux := config["linux"].(map[string]any)
	linux["cgroupsPath"] = cgroupsPath
	linux["resources"] = map[string]any{
		"memory": map[string]any{"limit": 64 << 20}, "pids": map[string]any{"limit": 20}, "cpu": map[string]any{"quota": 50000, "period": 100000, "shares": 512},
	}
	config["annotations"] = annotations
	if b, err = json.Marshal(config); err == nil {
		err = os.WriteFile(dir+"/config.json", b, 0o644)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return dir
}

// units are the files that systemd writes of units that were asked for: its own
// words for what it knows of them.
func (w *world) units() string {
	w.t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"transient/*.scope", "transient/*/*", "system.control/*/*"} {
		files, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(w.pid), "root/run/systemd", pattern))
		for _, f := range files {
			b, _ := os.ReadFile(f)
			all.WriteString("# " + filepath.Base(f) + "\n" + string(b))
		}
	}
	return all.String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(string(b))
}

func TestSystemdKnowsTheContainersScope(t *testing.T) {
	w := newWorld(t)
	bundle := w.bundle("test-deep.slice:box:one", map[string]string{"org.systemd.property.TimeoutStopUSec": "uint64 5000000"})
	w.must("run", "--detach", "--bundle", bundle, "one")
	dir := "/sys/fs/cgroup/test.slice/test-deep.slice/box-one.scope"
	if n := len(strings.Fields(read(t, dir+"/cgroup.procs"))); n != 1 {
		t.Errorf("%d processes in the scope", n)
	}
	units := w.units()
	for _, want := range []string{"# box-one.scope", "Slice=test-deep.slice", "Delegate=yes", "MemoryMax=67108864", "TasksMax=20", "CPUQuota=50%", "TimeoutStopSec=5s"} {
		if !strings.Contains(units, want) {
			t.Errorf("systemd does not know %q:\n%s", want, units)
		}
	}
	if got := read(t, dir+"/memory.max"); got != "67108864" {
		t.Errorf("memory.max is %s", got)
	}

	w.must("update", "--memory", "100m", "--pids-limit", "30", "one")
	if got := read(t, dir+"/memory.max") + " " + read(t, dir+"/pids.max"); got != "104857600 30" {
		t.Errorf("after update: %s", got)
	}
	if units := w.units(); !strings.Contains(units, "MemoryMax=104857600") || !strings.Contains(units, "TasksMax=30") {
		t.Errorf("systemd does not know the new limits:\n%s", units)
	}
	w.must("exec", "one", "/bin/busybox", "true")
	w.must("kill", "one", "KILL")
	w.wait("the end", func() bool { return strings.Contains(w.must("state", "one"), "stopped") })
	w.must("delete", "one")
	w.wait("systemd has forgotten the scope", func() bool { return !strings.Contains(w.units(), "box-one") })
	if _, err := os.Stat(dir); err == nil {
		t.Error("the cgroup is still there")
	}
}

func TestWhatSystemdRefusesLeavesNothing(t *testing.T) {
	w := newWorld(t)
	bundle := w.bundle("test.slice:box:two", map[string]string{"org.systemd.property.NoSuchThing": "true"})
	out, err := w.oci("run", "--detach", "--bundle", bundle, "two")
	if err == nil || !strings.Contains(out, "systemd refuses: ") || !strings.Contains(out, "NoSuchThing") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := w.oci("state", "two"); err == nil {
		t.Errorf("the container is there: %s", out)
	}
	if _, err := os.Stat("/sys/fs/cgroup/test.slice/box-two.scope"); err == nil {
		t.Error("the cgroup is still there")
	}
	if units := w.units(); strings.Contains(units, "box-two") {
		t.Errorf("systemd has the unit:\n%s", units)
	}
}
