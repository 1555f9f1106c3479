package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
)

// What users of runc rely on and no specification says.

func TestExecHasTheSchedulingOfTheContainer(t *testing.T) {
	b := newBench(t)
	score := 321
	b.spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Nice: 7}
	b.spec.Process.OOMScoreAdj = &score
	b.spec.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32}
	b.running()
	out := b.do("exec", b.id, "sh", "-c", "cat /proc/self/stat; cat /proc/self/oom_score_adj; uname -m")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 3 || lines[1] != "321" || lines[2] != "i686" || !strings.Contains(lines[0], " 7 ") {
		t.Errorf("exec: %q", out)
	}
}

func TestACgroupWithoutANameHasThatOfTheContainer(t *testing.T) {
	b := newBench(t)
	if out := b.run("cat", "/proc/self/cgroup"); !strings.Contains(out, ":/"+b.id+"\n") && !strings.Contains(out, "0::/\n") {
		t.Errorf("cgroups:\n%s", out)
	}
}

func TestMaskedDirectoriesAreOneAndEachIsMaskedOnce(t *testing.T) {
	b := newBench(t)
	for _, dir := range []string{"secret", "other"} {
		if err := os.MkdirAll(filepath.Join(b.bundle, "rootfs", dir, "below"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.spec.Linux.MaskedPaths = []string{"/secret", "/other", "/secret/", "/nothing"}
	out := b.run("sh", "-c", "ls /secret /other; grep -c ' /secret ' /proc/mounts; touch /other/x; true")
	if want := "/other:\n\n/secret:\n1\n"; !strings.Contains(out, want) || !strings.Contains(out, "Read-only file system") {
		t.Errorf("output %q, want %q and an error", out, want)
	}
}

func TestAReadOnlyDevHasItsNodes(t *testing.T) {
	b := newBench(t)
	for i, m := range b.spec.Mounts {
		if m.Destination == "/dev" {
			b.spec.Mounts[i].Options = append(m.Options, "ro")
		}
	}
	out := b.run("sh", "-c", "echo hello > /dev/null && touch /dev/x; ls /dev/shm; grep -o ' /dev tmpfs ro' /proc/mounts")
	if !strings.Contains(out, "/dev/x: Read-only file system") || !strings.Contains(out, "/dev tmpfs ro") {
		t.Errorf("output %q", out)
	}
}

// With the host's bare proc in sight the kernel would allow a new one in a user
// namespace, without the masks.
func TestWithoutAPivotTheHostsProcIsGone(t *testing.T) {
	b := newBench(t)
	caps := []string{"CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP"}
	b.spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Permitted: caps, Effective: caps}
	if err := os.Symlink("busybox", filepath.Join(b.bundle, "rootfs/bin/unshare")); err != nil {
		t.Fatal(err)
	}
	b.program("unshare", "-mrpf", "sh", "-c", "mount -t proc none /proc && echo mounted")
	b.save()
	r, err := b.try("run", "--no-pivot", b.id)
	if err != nil || r.code == 0 || strings.Contains(r.out, "mounted") || !strings.Contains(r.out, "mount: permission denied") {
		t.Errorf("exit status %d: %s (%v)", r.code, r.out, err)
	}
}

func TestListSaysIfItsRootIsNotThere(t *testing.T) {
	b := newBench(t)
	b.fail(1, "no such file or directory", "--root", filepath.Join(b.dir, "nothing"), "list")
}

// A runtime that was started on one processor leaves all to its containers.
func TestAContainerMayRunOnAllProcessors(t *testing.T) {
	b := newBench(t)
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	if all.Count() < 2 {
		t.Skip("one processor only")
	}
	for i := 0; one.Count() == 0; i++ {
		if all.IsSet(i) {
			one.Set(i)
		}
	}
	allowed := func() string {
		content, err := os.ReadFile("/proc/thread-self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(content), "Cpus_allowed_list:")
		line, _, _ := strings.Cut(after, "\n")
		return strings.TrimSpace(line)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	want := allowed()
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	b.program("grep", "Cpus_allowed_list", "/proc/self/status")
	b.save()
	r, err := b.try("run", b.id)
	if e := unix.SchedSetaffinity(0, &all); err != nil || e != nil {
		t.Fatal(err, e)
	}
	if !strings.Contains(r.out, "\t"+want+"\n") {
		t.Errorf("%s, want %s", r.out, want)
	}
	b.running()
	file := filepath.Join(b.dir, "process.json")
	content := `{"args": ["grep", "Cpus_allowed_list", "/proc/self/status"], "cwd": "/", "env": ["PATH=/bin"], "execCPUAffinity": {"initial": "` +
		want + `", "final": "0"}}`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := b.do("exec", "--process", file, b.id); !strings.Contains(out, "\t0\n") && all.IsSet(0) {
		t.Errorf("exec: %s", out)
	}
}

func TestExecEntersCgroupsThatTheContainerHasMade(t *testing.T) {
	b := newBench(t)
	b.running()
	first := strconv.Itoa(b.state().Pid)
	controller, name := "", "inner"
	for line := range strings.Lines(cgroups(t, first)) {
		if strings.Contains(line, ":memory:") {
			controller = "memory"
		}
	}
	h, err := cgroup.Detect()
	if err != nil {
		t.Fatal(err)
	}
	dir := h.Unified
	if controller != "" {
		dir = h.V1[controller]
		name = controller + ":" + name
	}
	if err := os.Mkdir(filepath.Join(dir, b.id, "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out := b.do("exec", "--cgroup", name, b.id, "cat", "/proc/self/cgroup"); !strings.Contains(out, "/inner\n") {
		t.Errorf("exec --cgroup %s:\n%s", name, out)
	}
	b.fail(255, "adding pid of the new process", "exec", "--cgroup", strings.Replace(name, "inner", "nothing", 1), b.id, "true")
	b.fail(255, "bad sub cgroup path", "exec", "--cgroup", "../x", b.id, "true")
	b.fail(255, "unknown controller", "exec", "--cgroup", "whatever:/", b.id, "true")
	b.fail(255, "named twice", "exec", "--cgroup", "memory:a", "--cgroup", "memory:b", b.id, "true")
}

func TestAPidfdOfTheProcessGoesOverASocket(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.dir, "pidfd")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	killed := make(chan error, 1)
	go func() { // ends when the runtime has come, or the socket closes
		killed <- func() error {
			conn, err := l.AcceptUnix()
			if err != nil {
				return err
			}
			defer conn.Close()
			name, control := make([]byte, 64), make([]byte, unix.CmsgSpace(4))
			if _, _, _, _, err = conn.ReadMsgUnix(name, control); err != nil {
				return err
			}
			messages, err := unix.ParseSocketControlMessage(control)
			if err != nil {
				return err
			}
			fds, err := unix.ParseUnixRights(&messages[0])
			if err != nil {
				return err
			}
			defer unix.Close(fds[0])
			return unix.PidfdSendSignal(fds[0], unix.SIGKILL, nil, 0)
		}()
	}()
	b.program("sleep", "1000")
	b.save()
	b.do("run", "--detach", "--pidfd-socket", path, b.id)
	if err := <-killed; err != nil {
		t.Fatal(err)
	}
	b.await(specs.StateStopped)
}

func TestAmbientCapabilitiesThatCannotBeAreAWarning(t *testing.T) {
	b := newBench(t)
	b.spec.Process.Capabilities = &specs.LinuxCapabilities{
		Bounding: []string{"CAP_KILL", "CAP_CHOWN"}, Permitted: []string{"CAP_KILL", "CAP_CHOWN"}, Inheritable: []string{"CAP_KILL"},
		Ambient: []string{"CAP_KILL", "CAP_CHOWN"},
	}
	out := b.run("grep", "CapAmb", "/proc/self/status")
	if !strings.Contains(out, "can't raise ambient capability CAP_CHOWN: ") || !strings.Contains(out, "CapAmb:\t0000000000000020") {
		t.Errorf("output %s", out)
	}
}

func TestCommandsOfRuncThatAreMissingAreNamed(t *testing.T) {
	b := newBench(t)
	b.fail(1, "checkpoint is not supported", "checkpoint", b.id)
	b.fail(1, "restore is not supported", "restore", b.id)
	for _, command := range []string{"create", "exec", "checkpoint"} {
		if out := b.do(command, "--help"); !strings.HasPrefix(out, "NAME:\n   minictr-oci "+command+" - ") {
			t.Errorf("%s --help: %s", command, out)
		}
	}
}

// The namespaces that a container makes for itself belong to the users it shares
// with another one, or it could not mount proc in them; the network namespace
// that it joins belongs to the host, and is joined all the same.
func TestAContainerSharesTheUsersOfAnother(t *testing.T) {
	b := newBench(t)
	if err := os.Chown(filepath.Join(b.bundle, "rootfs"), 100000, 100000); err != nil {
		t.Fatal(err)
	}
	users := specs.LinuxNamespace{Type: specs.UserNamespace}
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, users)
	b.spec.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 100000, Size: 1000}}
	b.spec.Linux.GIDMappings = b.spec.Linux.UIDMappings
	b.running()
	users.Path = fmt.Sprintf("/proc/%d/ns/user", b.state().Pid)
	want, err := os.Readlink(users.Path)
	if err != nil {
		t.Fatal(err)
	}
	for i, ns := range b.spec.Linux.Namespaces {
		switch ns.Type {
		case specs.UserNamespace:
			b.spec.Linux.Namespaces[i] = users
		case specs.NetworkNamespace:
			b.spec.Linux.Namespaces[i].Path = "/proc/self/ns/net"
		}
	}
	b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings = nil, nil
	for i, m := range b.spec.Mounts {
		if m.Type == "sysfs" { // of a network namespace that is the host's, it cannot be mounted
			b.spec.Mounts[i] = specs.Mount{Destination: "/sys", Type: "bind", Source: "/sys", Options: []string{"rbind"}}
		}
	}
	b.program("sleep", "1000")
	b.save()
	second := b.id + "-second"
	t.Cleanup(func() { _, _ = b.try("delete", "--force", second) })
	b.do("run", "--detach", second)
	out := b.do("exec", second, "sh", "-c", "readlink /proc/self/ns/user; id -u; grep -c . /proc/1/comm")
	if out != want+"\n0\n1\n" {
		t.Errorf("%q, want %s", out, want)
	}
	b.do("delete", "--force", second)
}
