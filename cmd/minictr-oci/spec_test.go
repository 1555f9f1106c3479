package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/systemd"
)

// without removes a namespace, so that the container shares the host's.
func (b *bench) without(kind specs.LinuxNamespaceType) {
	for i, ns := range b.spec.Linux.Namespaces {
		if ns.Type == kind {
			b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces[:i:i], b.spec.Linux.Namespaces[i+1:]...)
			return
		}
	}
}

func (b *bench) join(kind specs.LinuxNamespaceType, path string) {
	b.without(kind)
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: kind, Path: path})
}

func (b *bench) mount(destination, fstype, source string, options ...string) {
	b.spec.Mounts = append(b.spec.Mounts, specs.Mount{Destination: destination, Type: fstype, Source: source, Options: options})
}

// TestSettingsReachTheProgram: one configuration, one look from inside.
func TestSettingsReachTheProgram(t *testing.T) {
	score, umask := 100, uint32(0o077)
	for name, test := range map[string]struct {
		change func(*bench)
		script string
		want   string
	}{
		"hostname and domainname": {
			func(b *bench) { b.spec.Hostname, b.spec.Domainname = "box", "example.org" },
			"hostname; cat /proc/sys/kernel/domainname", "box\nexample.org\n",
		},
		"sysctl": {
			func(b *bench) {
				b.spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"}
			},
			"cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced", "1\n1\n",
		},
		"oom score": {func(b *bench) { b.spec.Process.OOMScoreAdj = &score }, "cat /proc/self/oom_score_adj", "100\n"},
		"umask":     {func(b *bench) { b.spec.Process.User.Umask = &umask }, "umask; touch /tmp/x; stat -c %a /tmp/x", "0077\n600\n"},
		"rlimits": {
			func(b *bench) {
				b.spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 1024, Hard: 2048}}
			},
			"ulimit -S -c; ulimit -H -c", "2\n4\n",
		},
		"user and groups": {
			func(b *bench) { b.spec.Process.User = specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7}} },
			"id -u; id -g; id -G", "5\n6\n6 7\n",
		},
		"ambient capabilities": {
			func(b *bench) {
				c := []string{"CAP_NET_BIND_SERVICE"}
				b.spec.Process.User = specs.User{UID: 5, GID: 6}
				b.spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: c, Permitted: c, Effective: c, Inheritable: c, Ambient: c}
			},
			"grep -E 'Cap(Eff|Amb)' /proc/self/status", "CapEff:\t0000000000000400\nCapAmb:\t0000000000000400\n",
		},
		"no capability is inheritable": {func(*bench) {}, "grep CapInh /proc/self/status", "CapInh:\t0000000000000000\n"},
		"personality": {
			func(b *bench) { b.spec.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32} },
			"uname -m", "i686\n",
		},
		"scheduler and i/o priority": {
			func(b *bench) {
				b.spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedBatch, Nice: 5}
				b.spec.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_IDLE}
			},
			"cat /proc/self/stat | (read a b c d e f g h i j k l m n o p q r s rest; echo $s)", "5\n",
		},
		"time offsets": {
			func(b *bench) {
				b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
				b.spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 5000000}, "monotonic": {Secs: 7, Nanosecs: 5}}
			},
			"cat /proc/self/timens_offsets; cat /proc/uptime | (read up idle; test ${up%.*} -gt 5000000 && echo late)",
			"monotonic           7         5\nboottime      5000000         0\nlate\n",
		},
		"masked and read-only paths": {
			func(b *bench) {
				b.spec.Linux.MaskedPaths = []string{"/etc/secret", "/proc/acpi", "/no/such"}
				b.spec.Linux.ReadonlyPaths = []string{"/proc/sys"}
				_ = os.WriteFile(filepath.Join(b.bundle, "rootfs/etc/secret"), []byte("secret"), 0o644)
			},
			"cat /etc/secret; ls /proc/acpi; touch /proc/sys/kernel/x 2>/dev/null || echo ro; echo 1 2>/dev/null >/proc/sys/kernel/hostname || echo ro", "ro\nro\n",
		},
		"read-only root": {func(b *bench) { b.spec.Root.Readonly = true }, "touch /x 2>/dev/null || echo ro", "ro\n"},
		"seccomp with an errno": {
			func(b *bench) {
				errno := uint(38)
				b.spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
					{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno, ErrnoRet: &errno},
				}}
			},
			"mkdir /tmp/x 2>&1; true", "mkdir: can't create directory '/tmp/x': Function not implemented\n",
		},
		"tmpfs options": {
			func(b *bench) { b.mount("/scratch", "tmpfs", "tmpfs", "noexec", "size=4k", "mode=1711") },
			"stat -c %a /scratch; grep ' /scratch ' /proc/mounts", "1711\ntmpfs /scratch tmpfs rw,noexec,relatime,size=4k,mode=1711 0 0\n",
		},
		"devices": {
			func(b *bench) {
				mode := os.FileMode(0o644)
				id := uint32(9)
				b.spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/sub/zero", Type: "c", Major: 1, Minor: 5, FileMode: &mode, UID: &id, GID: &id}}
				b.spec.Linux.Resources.Devices = append(b.spec.Linux.Resources.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: "c", Access: "r"})
			},
			"stat -c '%a %u %g %t %T' /dev/sub/zero; head -c 3 /dev/sub/zero | wc -c; ls -l /dev/fd /dev/ptmx | grep -o -- '->.*'", "644 9 9 1 5\n3\n-> /proc/self/fd\n-> pts/ptmx\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			test.change(b)
			if got := b.run("sh", "-c", test.script); got != test.want {
				t.Errorf("output\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestADeviceThatNoRuleAllowsCannotBeOpened(t *testing.T) {
	b := newBench(t)
	b.spec.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/mem", Type: "c", Major: 1, Minor: 1}}
	if out := b.run("sh", "-c", "head -c 1 /dev/mem 2>&1; true"); !strings.Contains(out, "Operation not permitted") {
		t.Errorf("output %q", out)
	}
}

// volume makes a directory of the host with a file in it, and one more file
// system below.
func volume(t *testing.T, b *bench) string {
	t.Helper()
	dir := filepath.Join(b.dir, "volume")
	for _, d := range []string{dir, filepath.Join(dir, "below")} {
		if err := os.MkdirAll(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("tmpfs", filepath.Join(dir, "below"), "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(filepath.Join(dir, "below"), unix.MNT_DETACH) })
	return dir
}

func TestMountOptionsDoWhatTheySay(t *testing.T) {
	const look = "touch /v/x 2>/dev/null && echo above; touch /v/below/x 2>/dev/null && echo below; true"
	for options, want := range map[string]string{
		"bind":                              "above\nbelow\n", // below is the directory under the mount
		"bind,ro":                           "",
		"rbind":                             "above\nbelow\n",
		"rbind,ro":                          "below\n",
		"rbind,rro":                         "",
		"rbind,rw":                          "above\nbelow\n",
		"bind,rprivate,nosuid,nodev,noexec": "above\nbelow\n",
	} {
		t.Run(options, func(t *testing.T) {
			b := newBench(t)
			b.mount("/v", "bind", volume(t, b), strings.Split(options, ",")...)
			if got := b.run("sh", "-c", look); got != want {
				t.Errorf("output %q, want %q", got, want)
			}
		})
	}
}

func TestWhatIsNotSupportedIsRefused(t *testing.T) {
	for want, change := range map[string]func(*specs.Spec){
		"intelRdt": func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{} },
		"SCMP_ACT_NOTIFY cannot be the default action": func(s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActNotify} },
		"personality":               func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: "BSD"} },
		"unknown scheduling policy": func(s *specs.Spec) { s.Process.Scheduler = &specs.Scheduler{Policy: "SCHED_X"} },
		"unknown i/o priority":      func(s *specs.Spec) { s.Process.IOPriority = &specs.LinuxIOPriority{Class: "X"} },
		"time offset of clock": func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"x": {}}
		},
	} {
		t.Run(want, func(t *testing.T) {
			b := newBench(t)
			b.program("true")
			change(b.spec)
			b.save()
			b.fail(1, want, "create", b.id)
		})
	}
}

// TestWithoutSystemdNobodyIsAskedForAScope; with one: pkg/systemd, in the VM.
func TestWithoutSystemdNobodyIsAskedForAScope(t *testing.T) {
	if systemd.Running() {
		t.Skip("systemd runs here")
	}
	b := newBench(t)
	b.program("true")
	b.save()
	for _, option := range []string{"--systemd-cgroup", "--cgroup-manager=systemd"} {
		b.fail(1, "systemd does not run here", option, "create", b.id)
	}
	b.fail(1, "container does not exist", "--systemd-cgroup", "state", b.id)
}

func TestExecFollowsIntoATimeNamespace(t *testing.T) {
	b := newBench(t)
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
	b.spec.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 5000000}}
	b.running()
	if out := b.do("exec", b.id, "sh", "-c", "cat /proc/self/timens_offsets | grep -c 5000000; echo $$ >/dev/null; readlink /proc/self/ns/pid"); !strings.HasPrefix(out, "1\n") {
		t.Errorf("output %q", out)
	}
	other := newBench(t)
	for _, kind := range []struct {
		name specs.LinuxNamespaceType
		file string
	}{{specs.TimeNamespace, "time"}, {specs.PIDNamespace, "pid"}} {
		other.join(kind.name, fmt.Sprintf("/proc/%d/ns/%s", b.state().Pid, kind.file))
	}
	if out := other.run("sh", "-c", "grep -c 5000000 /proc/self/timens_offsets; ps | grep -c 'sleep 1000'"); !strings.HasPrefix(out, "1\n") {
		t.Errorf("joined by path: %q", out)
	}
}

func TestNamespacesAreJoinedByPath(t *testing.T) {
	b := newBench(t)
	b.running()
	pid := b.state().Pid
	other := newBench(t)
	for kind, file := range map[specs.LinuxNamespaceType]string{
		specs.PIDNamespace: "pid", specs.NetworkNamespace: "net", specs.IPCNamespace: "ipc", specs.UTSNamespace: "uts", specs.CgroupNamespace: "cgroup",
	} {
		other.join(kind, fmt.Sprintf("/proc/%d/ns/%s", pid, file))
	}
	other.spec.Hostname = ""
	script := "for n in pid net ipc uts cgroup mnt; do readlink /proc/self/ns/$n; done"
	got := strings.Fields(other.run("sh", "-c", script))
	want := strings.Fields(b.do("exec", b.id, "sh", "-c", script))
	if len(got) != 6 || len(want) != 6 || got[5] == want[5] {
		t.Fatalf("namespaces %v and %v", got, want)
	}
	for i := range 5 {
		if got[i] != want[i] {
			t.Errorf("namespace %s, want %s", got[i], want[i])
		}
	}
}

func TestUserNamespacesMapRootToSomebody(t *testing.T) {
	b := newBench(t)
	private := filepath.Join(b.dir, "private") // which the container's root could not enter
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(b.bundle, filepath.Join(private, "bundle")); err != nil {
		t.Fatal(err)
	}
	b.bundle = filepath.Join(private, "bundle")
	if err := exec.Command("chown", "-R", "100000:100000", filepath.Join(b.bundle, "rootfs")).Run(); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(private, "file")
	if err := os.WriteFile(secret, []byte("volume\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.mount("/file", "bind", secret, "bind", "ro")
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	b.spec.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}}
	b.spec.Linux.GIDMappings = b.spec.Linux.UIDMappings
	b.program("sleep", "1000")
	b.save()
	b.do("run", "--detach", b.id)
	want := "0\n         0     100000       1000\nvolume\n0\n"
	got := b.do("exec", b.id, "sh", "-c", "id -u; cat /proc/self/uid_map; cat /file; touch /new; stat -c %u /new; echo >/dev/null; head -c 1 /dev/zero >/dev/null")
	if got != want {
		t.Errorf("output\n%s\nwant\n%s", got, want)
	}
	info, err := os.Stat(filepath.Join(b.bundle, "rootfs/new"))
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(b.bundle, "rootfs", info.Name()), &st); err != nil || st.Uid != 100000 {
		t.Errorf("owner on the host: %d %v", st.Uid, err)
	}
	if out := b.do("exec", "--tty", b.id, "sh", "-c", "tty; stat -c %u $(tty)"); strings.Join(strings.Fields(out), " ") != "/dev/pts/0 0" {
		t.Errorf("terminal: %q", out)
	}
}

// TestAUserNamespaceWhereMountsAreShared: systemd makes all mounts of a machine
// shared, and pivot_root takes no root that is.
func TestAUserNamespaceWhereMountsAreShared(t *testing.T) {
	b := newBench(t)
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	b.spec.Linux.UIDMappings = []specs.LinuxIDMapping{{Size: 1000}}
	b.spec.Linux.GIDMappings = b.spec.Linux.UIDMappings
	b.program("echo", "hello")
	b.save()
	r, err := b.tryWith(func(c *exec.Cmd) {
		c.Args = append([]string{"unshare", "--mount", "--propagation", "shared"}, c.Args...)
		c.Path, c.Err = exec.LookPath("unshare")
	}, "run", b.id)
	if err != nil || r.out != "hello\n" {
		t.Errorf("exit status %d, %v\n%s", r.code, err, r.out)
	}
}

func TestASharedMountNamespaceIsLeftAsItWas(t *testing.T) {
	b := newBench(t)
	b.without(specs.MountNamespace)
	b.spec.Linux.MaskedPaths, b.spec.Linux.ReadonlyPaths = nil, nil
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	if out := b.run("sh", "-c", "readlink /proc/self/ns/mnt; ls /bin/busybox"); out != own+"\n/bin/busybox\n" {
		t.Errorf("output %q", out)
	}
}

func TestANewKeyringKeepsTheCallersKeysAway(t *testing.T) {
	b := newBench(t)
	b.spec.Linux.MaskedPaths = nil
	b.program("sh", "-c", "grep -c '_ses."+b.id+"' /proc/keys; true")
	b.save()
	if out := b.do("run", "--no-new-keyring", b.id); out != "0\n" {
		t.Errorf("--no-new-keyring: %q", out)
	}
	if out := b.do("run", b.id); out != "1\n" {
		t.Errorf("no keyring of its own: %q", out)
	}
}
