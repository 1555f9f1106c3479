package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Each test tries an escape that worked with some runtime once. The image and
// the places that an image chooses are the attacker's.

// trap is a directory of the host that no container may reach.
func trap(t *testing.T, b *bench) string {
	t.Helper()
	dir := filepath.Join(b.dir, "trap")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("host"), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		entries, err := os.ReadDir(dir)
		content, e := os.ReadFile(filepath.Join(dir, "file"))
		if err != nil || e != nil || len(entries) != 1 || string(content) != "host" {
			t.Errorf("the trap holds %v, its file %q: %v %v", entries, content, err, e)
		}
	})
	return dir
}

func (b *bench) link(target, name string) {
	b.Helper()
	path := filepath.Join(b.bundle, "rootfs", name)
	if err := os.RemoveAll(path); err != nil {
		b.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		b.Fatal(err)
	}
}

// TestNoDescriptorIsAWayOut is CVE-2024-21626: a working directory, or a mount
// target, that names a descriptor or a process.
func TestNoDescriptorIsAWayOut(t *testing.T) {
	b := newBench(t)
	host := trap(t, b)
	b.without(specs.PIDNamespace) // so that /proc/1/root is the host's
	b.program("sh", "-c", "pwd; ls -d ./"+strings.Repeat("../", 12)+host[1:]+" 2>/dev/null && echo ESCAPED; true")
	for _, cwd := range append(descriptors(), "/proc/self/cwd", "/proc/1/root", "/proc/1/cwd", "/proc/1/root"+host) {
		b.spec.Process.Cwd = cwd
		b.save()
		if r, err := b.try("run", b.id); err != nil || strings.Contains(r.out, "ESCAPED") || r.code == 0 && !strings.HasPrefix(r.out, "/\n") {
			t.Errorf("cwd %s: exit status %d, %v\n%s", cwd, r.code, err, r.out)
		}
	}
	b.spec.Process.Cwd = "/"
	for _, target := range append(descriptors(), "/proc/1/root"+host, "/proc/1/cwd") {
		b.link(target, "way")
		b.spec.Mounts = b.spec.Mounts[:7:7]
		b.mount("/way/dir", "tmpfs", "tmpfs")
		b.mount("/way/sub/file", "bind", filepath.Join(b.bundle, "config.json"), "bind")
		b.save()
		if r, err := b.try("run", b.id); err != nil || strings.Contains(r.out, "ESCAPED") {
			t.Errorf("mount at %s: exit status %d, %v\n%s", target, r.code, err, r.out)
		}
	}
}

func descriptors() (paths []string) {
	for fd := 3; fd < 40; fd++ {
		paths = append(paths, fmt.Sprintf("/proc/self/fd/%d", fd))
	}
	return paths
}

func TestExecHasNoWayOutEither(t *testing.T) {
	b := newBench(t)
	host := trap(t, b)
	b.running()
	for _, cwd := range descriptors() {
		r, err := b.try("exec", "--cwd", cwd, b.id, "sh", "-c", "ls -d ./"+strings.Repeat("../", 12)+host[1:]+" 2>/dev/null && echo ESCAPED")
		if err != nil || strings.Contains(r.out, "ESCAPED") || r.code == 0 {
			t.Errorf("cwd %s: exit status %d, %v\n%s", cwd, r.code, err, r.out)
		}
	}
	b.fail(255, "", "exec", "--cwd", "/proc/1/cwd", b.id, "true")
}

// TestExecStaysInARootThatIsNoMountNamespacesRoot: the container shares the
// host's mounts, and only its root directory confines it.
func TestExecStaysInARootThatIsNoMountNamespacesRoot(t *testing.T) {
	b := newBench(t)
	host := trap(t, b)
	b.without(specs.MountNamespace)
	b.spec.Linux.MaskedPaths, b.spec.Linux.ReadonlyPaths = nil, nil
	b.running()
	if out := b.do("exec", b.id, "sh", "-c", "ls -d "+host+" 2>/dev/null; pwd; ls /bin/busybox"); out != "/\n/bin/busybox\n" {
		t.Errorf("output %q", out)
	}
}

// TestLinksAsMountTargetsStayInside is CVE-2021-30465 and CVE-2019-19921.
func TestLinksAsMountTargetsStayInside(t *testing.T) {
	b := newBench(t)
	host := trap(t, b)
	b.link(strings.Repeat("../", 20)+host, "relative")
	b.link(host, "absolute")
	if err := os.MkdirAll(filepath.Join(b.bundle, "rootfs", host), 0o755); err != nil {
		t.Fatal(err)
	}
	b.mount("/relative/a", "tmpfs", "tmpfs")
	b.mount("/absolute/b", "bind", filepath.Join(b.bundle, "config.json"), "bind")
	if out := b.run("sh", "-c", "cd "+host+" && ls"); out != "a\nb\n" {
		t.Errorf("inside: %q", out)
	}
}

// TestLinksInPlaceOfWellKnownMountsAreRefused is CVE-2019-16884, CVE-2023-28642
// and CVE-2025-52565.
func TestLinksInPlaceOfWellKnownMountsAreRefused(t *testing.T) {
	for _, name := range []string{"proc", "dev", "sys"} {
		b := newBench(t)
		trap(t, b)
		b.link("/tmp", name)
		b.program("true")
		b.save()
		b.fail(1, "symbolic link", "create", b.id)
	}
}

// TestMaskingUsesTheHostsDevNull is CVE-2025-31133: the image puts a link where
// /dev/null should be, to have another file mounted over a masked path.
func TestMaskingUsesTheHostsDevNull(t *testing.T) {
	b := newBench(t)
	b.spec.Mounts = append(b.spec.Mounts[:1:1], b.spec.Mounts[5]) // /proc and /sys alone: /dev is the image's
	b.link("/proc/sys/kernel/hostname", "dev/null")
	b.spec.Linux.MaskedPaths = []string{"/proc/kallsyms", "/etc/passwd"}
	if err := os.WriteFile(filepath.Join(b.bundle, "rootfs/etc/passwd"), []byte("secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := b.run("sh", "-c", "cat /etc/passwd; stat -c '%F %t %T' /proc/kallsyms"); out != "character special file 1 3\n" {
		t.Errorf("output %q", out)
	}
}

// TestTheConsoleIsNotMountedOverALinksTarget is CVE-2025-52565.
func TestTheConsoleIsNotMountedOverALinksTarget(t *testing.T) {
	b := newBench(t)
	host := trap(t, b)
	b.spec.Process.Terminal = true
	dev := filepath.Join(b.dir, "dev")
	if err := os.MkdirAll(filepath.Join(dev, "pts"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, link := range [][2]string{{"/proc/sys/kernel/core_pattern", "console"}, {host, "mqueue"}, {host, "shm"}} {
		if err := os.Symlink(link[0], filepath.Join(dev, link[1])); err != nil {
			t.Fatal(err)
		}
	}
	b.spec.Mounts[1] = specs.Mount{Destination: "/dev", Type: "bind", Source: dev, Options: []string{"bind"}}
	b.spec.Mounts = append(b.spec.Mounts[:3:3], b.spec.Mounts[5]) // proc, dev, pts, sys
	b.program("true")
	b.save()
	b.fail(1, "symbolic link", "run", b.id)
}

// TestAProgramThatIsTheRuntimeItself is CVE-2019-5736: the image has the
// runtime run as /proc/self/exe, in the container, to get hold of its file.
func TestTheRuntimesBinaryCannotBeWritten(t *testing.T) {
	runtime := filepath.Join(t.TempDir(), "minictr-oci")
	content, err := os.ReadFile(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(runtime, content, 0o755); err != nil {
		t.Fatal(err)
	}
	saved := built.path
	built.path = runtime
	t.Cleanup(func() { built.path = saved })
	// The attacker waits in the container for a process that is the runtime, takes
	// hold of its file, lets it end, and writes. The runtime stays for as long as
	// nobody reads from the fifo that is its log.
	attack := `{
		caught=
		while [ -z "$caught" ]; do
			for p in /proc/[0-9]*; do
				if [ -e $p/exe ] && ! [ $p/exe -ef /bin/busybox ] && command exec 9<$p/exe; then
					caught=yes
					break
				fi
			done 2>/dev/null
		done
		echo caught
		cat /tmp/fifo >/dev/null
		i=0
		while [ $i -lt 500 ]; do
			if (echo OVERWRITTEN >/proc/self/fd/9) 2>/tmp/error; then
				echo WRITTEN
				break
			fi
			i=$((i+1))
		done
		cat /tmp/error
		echo over
	} >/tmp/report 2>&1`
	for _, program := range [][]string{
		{"/proc/self/exe", "--log=/tmp/fifo", "state", "x"}, {"/bin/link", "--log=/tmp/fifo", "state", "x"}, {"/bin/script"},
	} {
		b := newBench(t)
		b.spec.Process.Capabilities = capabilities()
		b.link("/proc/self/exe", "bin/link")
		if err := os.WriteFile(filepath.Join(b.bundle, "rootfs/bin/script"), []byte("#!/proc/self/exe --log=/tmp/fifo\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(filepath.Join(b.bundle, "rootfs/tmp/fifo"), 0o666); err != nil {
			t.Fatal(err)
		}
		b.running()
		b.do("exec", "--detach", b.id, "sh", "-c", attack)
		b.do(append([]string{"exec", "--detach", b.id}, program...)...)
		report := ""
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(report, "over") && time.Now().Before(deadline); {
			time.Sleep(10 * time.Millisecond)
			content, _ := os.ReadFile(filepath.Join(b.bundle, "rootfs/tmp/report"))
			report = string(content)
		}
		now, err := os.ReadFile(runtime)
		if err != nil || string(now) != string(content) {
			_ = os.Remove(runtime) // the clean-up needs one that works
			_ = os.WriteFile(runtime, content, 0o755)
			t.Fatalf("%v: the runtime's binary has been overwritten (%v)", program, err)
		}
		t.Logf("%v: the attacker reports %q", program, report)
		if !strings.Contains(report, "caught") || !strings.Contains(report, "Read-only file system") {
			t.Errorf("%v: the attacker caught no file, or could write: %q", program, report)
		}
	}
}

// capabilities are as many as docker gives; with CAP_SYS_PTRACE on top root in
// the container may do what it likes with processes of the host's root.
func capabilities() *specs.LinuxCapabilities {
	var all []string
	for _, name := range strings.Fields("CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER KILL SETGID SETUID SYS_CHROOT MKNOD") {
		all = append(all, "CAP_"+name)
	}
	return &specs.LinuxCapabilities{Bounding: all, Permitted: all, Effective: all}
}

// TestNothingIsInheritable is CVE-2022-24769 and CVE-2022-29162.
func TestNothingIsInheritable(t *testing.T) {
	b := newBench(t)
	b.running()
	for _, args := range [][]string{{b.id}, {"--cap", "CAP_NET_RAW", b.id}} {
		out := b.do(append(append([]string{"exec"}, args...), "grep", "-E", "CapInh|CapAmb", "/proc/self/status")...)
		if out != "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n" {
			t.Errorf("exec %v: %s", args, out)
		}
	}
}

// TestSettingsAreWrittenToTheKernel is CVE-2025-52881: a link of the image leads
// a mount over a file of /proc that the runtime is going to write to.
func TestSettingsAreWrittenToTheKernel(t *testing.T) {
	for name, target := range map[string]string{"of a file": "/link/sys/net/ipv4/ip_forward", "of a directory": "/link/sys/net/ipv4", "of all": "/link"} {
		b := newBench(t)
		host := trap(t, b)
		b.link("/proc", "link")
		source := host
		if name == "of a file" {
			source = filepath.Join(host, "file")
		}
		b.mount(target, "bind", source, "bind")
		b.spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
		b.spec.Linux.MaskedPaths, b.spec.Linux.ReadonlyPaths = nil, nil
		b.mount("/second", "proc", "proc")
		if out := b.run("cat", "/second/sys/net/ipv4/ip_forward"); out != "1\n" {
			t.Errorf("a mount in the place %s: %q", name, out)
		}
	}
}

// TestNothingIsMountedOverProc: a mount whose own path leads there is refused.
func TestNothingIsMountedOverProc(t *testing.T) {
	b := newBench(t)
	host := trap(t, b)
	b.program("true")
	before := b.spec.Mounts
	for _, target := range []string{"/proc", "/proc/self/attr", "/proc/sys/kernel", "/tmp/../proc/sysrq-trigger"} {
		b.spec.Mounts = before[:len(before):len(before)]
		b.mount(target, "bind", host, "bind")
		b.save()
		b.fail(1, "cannot be mounted because it is", "create", b.id)
	}
}

// TestATargetThatChangesWhileMountsAreMade is CVE-2021-30465: another container
// with the same volume exchanges a directory for a link, again and again, while
// mounts are made below it.
func TestATargetThatChangesWhileMountsAreMade(t *testing.T) {
	b := newBench(t)
	host := trap(t, b)
	root := filepath.Join(b.bundle, "rootfs")
	for _, dir := range []string{"volume/dir/sub", "empty"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.link(strings.Repeat("../", 30)+host[1:], "volume/link")
	b.mount("/volume/dir/sub", "tmpfs", "tmpfs")
	b.mount("/volume/dir/new/file", "bind", filepath.Join(b.bundle, "config.json"), "bind")
	b.spec.Linux.ReadonlyPaths = append(b.spec.Linux.ReadonlyPaths, "/volume/dir")
	b.spec.Linux.MaskedPaths = append(b.spec.Linux.MaskedPaths, "/volume/dir/file")
	b.spec.Process.Cwd = "/volume/dir"
	b.program("sh", "-c", "cat ./"+strings.Repeat("../", 20)+host[1:]+"/file 2>/dev/null && echo ESCAPED; true")
	b.save()
	stop, stopped := make(chan struct{}), make(chan int)
	go func() { // ends with stop
		swaps := 0
		for {
			select {
			case <-stop:
				stopped <- swaps
				return
			default:
			}
			if unix.Renameat2(unix.AT_FDCWD, filepath.Join(root, "volume/dir"), unix.AT_FDCWD, filepath.Join(root, "volume/link"), unix.RENAME_EXCHANGE) == nil {
				swaps++
			}
		}
	}()
	for range 15 {
		// A mount may fail, for there is no such directory at the moment.
		if r, err := b.try("run", b.id); err != nil || strings.Contains(r.out, "ESCAPED") {
			t.Errorf("exit status %d, %v\n%s", r.code, err, r.out)
		}
	}
	close(stop)
	if swaps := <-stopped; swaps < 100 {
		t.Errorf("only %d swaps: nothing was tried", swaps)
	}
}

// TestALinkForTheTerminalsDirectoryIsRefused is CVE-2025-52565 for /dev/pts.
func TestALinkForTheTerminalsDirectoryIsRefused(t *testing.T) {
	b := newBench(t)
	host := trap(t, b)
	dev := filepath.Join(b.dir, "dev")
	if err := os.Mkdir(dev, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(host, filepath.Join(dev, "pts")); err != nil {
		t.Fatal(err)
	}
	for i, m := range b.spec.Mounts {
		if m.Destination == "/dev" {
			b.spec.Mounts[i] = specs.Mount{Destination: "/dev", Type: "bind", Source: dev, Options: []string{"bind"}}
		}
	}
	b.program("true")
	b.save()
	b.fail(1, "symbolic link", "create", b.id)
}

// Between create and start days can pass. Until then the process must hold
// nothing of the host's: no directory, and nothing that our caller had open.
func TestACreatedContainerHoldsNoDescriptorsOfTheHost(t *testing.T) {
	b := newBench(t)
	b.program("true")
	b.save()
	leaked, err := os.Open(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer leaked.Close()
	r, err := b.tryWith(func(cmd *exec.Cmd) { cmd.ExtraFiles = []*os.File{leaked, leaked, leaked} }, "create", "--preserve-fds", "1", b.id)
	if err != nil || r.code != 0 {
		t.Fatalf("create: %v %s", err, r.out)
	}
	dir := fmt.Sprintf("/proc/%d/fd", b.state().Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Error(err)
		}
		switch n, _ := strconv.Atoi(e.Name()); {
		case n <= 3: // the streams, and what was asked for
		case strings.HasPrefix(target, "anon_inode:"), strings.HasPrefix(target, "socket:"): // the gate, and our end of it
		default:
			t.Errorf("descriptor %d is %s", n, target)
		}
	}
	if len(entries) != 6 { // three streams, one preserved, the gate and the pair's end
		t.Errorf("%d descriptors are open, want 6", len(entries))
	}
}
