package runtime_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/leak"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
)

func TestAContainerHasItsOwnOfEverything(t *testing.T) {
	leak.Check(t)
	out := mustRun(t, newBundle(t, `
		for n in pid mnt ipc uts net cgroup; do readlink /proc/self/ns/$n; done
		echo pid $$; hostname; ls /proc | grep -c '^[0-9]'; ls /dev | tr '\n' ' '; cat /proc/self/cgroup | grep 0::
		cat /proc/self/attr/current 2>/dev/null; ls /proc/self/fd | wc -l`))
	got := lines(out)
	for i, n := range []string{"pid", "mnt", "ipc", "uts", "net", "cgroup"} {
		if host, _ := os.Readlink("/proc/self/ns/" + n); got[i] == host {
			t.Errorf("the %s namespace is the host's", n)
		}
	}
	for _, want := range []string{"pid 1\n", "\nboxy\n", "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero", "0::/\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestWritesGoToTheUpperDirectoryOnly(t *testing.T) {
	c := newBundle(t, "echo mine > /etc/new; rm /etc/passwd; cat /etc/new")
	if out := mustRun(t, c); out != "mine\n" {
		t.Fatalf("got %q", out)
	}
	if _, err := os.Stat(filepath.Join(c.Bundle, "base/etc/passwd")); err != nil {
		t.Error("the layer was changed:", err)
	}
	if b, _ := os.ReadFile(filepath.Join(c.Bundle, "upper/etc/new")); string(b) != "mine\n" {
		t.Errorf("upper has %q", b)
	}
}

func TestMaskedAndReadOnlyPathsAreClosed(t *testing.T) {
	out := mustRun(t, newBundle(t, `
		cat /proc/timer_list /proc/keys | wc -c; ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | grep -c .
		(echo 1 > /proc/sys/kernel/panic) 2>/dev/null || echo read-only
		mkdir /sys/fs/cgroup/x 2>/dev/null || echo closed; mkdir /sys/x 2>/dev/null || echo closed`))
	if out != "0\n0\nread-only\nclosed\nclosed\n" {
		t.Errorf("got %q", out)
	}
}

func TestCapabilitiesAreThoseOfTheConfiguration(t *testing.T) {
	out := mustRun(t, newBundle(t, "grep -E 'Cap(Eff|Bnd|Inh|Amb)|NoNewPrivs' /proc/self/status; chroot / true || echo no chroot"))
	for _, want := range []string{"CapEff:\t00000000000004e1", "CapBnd:\t00000000000004e1", "CapInh:\t0000000000000000", "no chroot"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func TestAUserHasNoCapabilitiesAndItsGroups(t *testing.T) {
	out := mustRun(t, newBundle(t, "id -u; id -G; grep CapEff /proc/self/status; cd /root 2>/dev/null || echo kept out", func(c *runtime.Config) {
		c.Spec.Process.User = specs.User{UID: 1000, GID: 1000, AdditionalGids: []uint32{7, 8}}
	}))
	if out != "1000\n1000 7 8\nCapEff:\t0000000000000000\nkept out\n" {
		t.Errorf("got %q", out)
	}
}

func TestSeccompRefusesWhatTheProfileForbids(t *testing.T) {
	for _, nnp := range []bool{false, true} {
		out := mustRun(t, newBundle(t, "mkdir /tmp/x 2>&1; grep Seccomp: /proc/self/status", func(c *runtime.Config) {
			c.Spec.Process.NoNewPrivileges = nnp
			c.Spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActAllow,
				Syscalls:      []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno}},
			}
		}))
		if !strings.Contains(out, "Operation not permitted") || !strings.Contains(out, "Seccomp:\t2") {
			t.Errorf("no_new_privs %v: got %q", nnp, out)
		}
	}
}

func TestDevicesOutsideTheRulesCannotBeOpened(t *testing.T) {
	out := mustRun(t, newBundle(t, "mknod /tmp/k c 1 2; mknod /tmp/n c 1 3; cat /tmp/k 2>&1 | head -c 99; echo x > /tmp/n && echo null", func(c *runtime.Config) {
		caps := append(c.Spec.Process.Capabilities.Bounding, "CAP_MKNOD")
		c.Spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps}
		c.Spec.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}}
	}))
	if !strings.Contains(out, "not permitted") || !strings.HasSuffix(out, "null\n") {
		t.Errorf("got %q", out)
	}
}

func TestVolumesAppearAndStayReadOnly(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "a"), []byte("A"), 0o644), os.WriteFile(file, []byte("F"), 0o644)); err != nil {
		t.Fatal(err)
	}
	bind := func(src, dst string, options ...string) specs.Mount {
		return specs.Mount{Destination: dst, Type: "bind", Source: src, Options: append(options, "rbind")}
	}
	out := mustRun(t, newBundle(t, "cat /vol/a /ro/deep/a /etc/one; echo B > /vol/b; (echo C > /ro/deep/c) 2>/dev/null || echo read-only; (echo D > /etc/one) 2>/dev/null || echo read-only",
		func(c *runtime.Config) {
			c.Spec.Mounts = append(c.Spec.Mounts, bind(dir, "/vol"), bind(dir, "/ro/deep", "ro"), bind(file, "/etc/one", "ro"))
		}))
	if out != "AAFread-only\nread-only\n" {
		t.Errorf("got %q", out)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "b")); string(b) != "B\n" {
		t.Errorf("the volume has %q", b)
	}
}

func TestAReadOnlyRootTakesNoWrites(t *testing.T) {
	out := mustRun(t, newBundle(t, "pwd; touch /x 2>/dev/null || echo no; touch /dev/shm/x && echo yes", func(c *runtime.Config) {
		c.Spec.Root.Readonly, c.Spec.Process.Cwd = true, "/made/for/it"
	}))
	if out != "/made/for/it\nno\nyes\n" {
		t.Errorf("got %q", out)
	}
}

func TestAMountTargetThatIsALinkStaysInside(t *testing.T) {
	vol, outside := t.TempDir(), t.TempDir()
	c := newBundle(t, "ls -d /etc"+outside+"/deep >/dev/null 2>&1; echo done", func(c *runtime.Config) {
		c.Spec.Mounts = append(c.Spec.Mounts, specs.Mount{Destination: "/link/deep", Type: "bind", Source: vol, Options: []string{"bind"}})
	})
	if err := os.Symlink("../../../../../../../.."+outside, filepath.Join(c.Bundle, "base/link")); err != nil {
		t.Fatal(err)
	}
	run(t, c, "") // whether it starts is not the point: the host's directory is
	if entries, _ := os.ReadDir(outside); len(entries) > 0 {
		t.Errorf("the mount reached the host: %v", entries)
	}
}

func TestAProcThatIsALinkIsRefused(t *testing.T) {
	c := newBundle(t, "true")
	base := filepath.Join(c.Bundle, "base")
	if err := errors.Join(os.RemoveAll(base+"/proc"), os.Mkdir(base+"/fake", 0o755), os.Symlink("/fake", base+"/proc")); err != nil {
		t.Fatal(err)
	}
	if out, code := run(t, c, ""); code != 125 || !strings.Contains(out, "ELOOP") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestRootOfAUserNamespaceIsNobodyOutside(t *testing.T) {
	onMappableDisk(t)
	out := mustRun(t, newBundle(t, "id -u; cat /proc/self/uid_map; touch /mine; stat -c %u /mine; echo x > /dev/null && echo null works", func(c *runtime.Config) {
		maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
		c.Spec.Linux.Namespaces = append(c.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: "user"})
		c.Spec.Linux.UIDMappings, c.Spec.Linux.GIDMappings = maps, maps
	}))
	if got := strings.Join(strings.Fields(out), " "); got != "0 0 100000 65536 0 null works" {
		t.Errorf("got %q", got)
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	leak.Check(t)
	c := newBundle(t, "")
	c.Spec.Process.Args = []string{"no-such-program"}
	plan, err := runtime.Plan(c, runtime.IO{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&step.Runner{Slots: ownStdio(t)}).Run(plan)
	var failed *step.Error
	if !errors.As(err, &failed) || failed.Step.Name != "process.exec" || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatMayNotRunIsToldFromAMissingOne(t *testing.T) {
	c := newBundle(t, "")
	c.Spec.Process.Args = []string{"/etc/passwd"}
	plan, err := runtime.Plan(c, runtime.IO{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = (&step.Runner{Slots: ownStdio(t)}).Run(plan); !errors.Is(err, syscall.EACCES) {
		t.Errorf("got %v", err)
	}
}

func TestAMissingVolumeIsNamedAndDoesNotKeepThePlanFromItsUndo(t *testing.T) {
	leak.Check(t)
	c := newBundle(t, "true")
	c.Spec.Mounts = append(c.Spec.Mounts, specs.Mount{Destination: "/v", Type: "bind", Source: "/nowhere/at/all", Options: []string{"bind"}})
	plan, err := runtime.Plan(c, runtime.IO{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&step.Runner{Slots: ownStdio(t)}).Run(plan); !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "/nowhere/at/all") {
		t.Errorf("got %v", err)
	}
}
