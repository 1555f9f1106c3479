package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
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
