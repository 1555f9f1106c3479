package runtime_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/leak"
	"minictr/pkg/runtime"
	"minictr/pkg/step"
)

// inUserNamespace gives a container ids from base on.
func inUserNamespace(base uint32) func(*runtime.Config) {
	return func(c *runtime.Config) {
		l := c.Spec.Linux
		l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		l.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: base, Size: 65536}}
		l.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: base + 70000, Size: 65536}}
	}
}

// onMappableDisk puts the test's directories on a file system that can be
// idmapped: the machine's own, or one in a file where /tmp is in memory.
func onMappableDisk(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make containers")
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &fs); err != nil {
		t.Fatal(err)
	}
	switch fs.Type {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC:
		return
	}
	dir, err := os.MkdirTemp("", "minictr-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	img, disk := filepath.Join(dir, "img"), filepath.Join(dir, "disk")
	if err := errors.Join(os.WriteFile(img, nil, 0o600), os.Truncate(img, 64<<20), os.Mkdir(disk, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{"busybox", "mke2fs", "-F", img}, {"busybox", "mount", "-t", "ext4", "-o", "loop", img, disk}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Skipf("no file system here can be idmapped, and none can be made: %v: %v %s", argv, err, out)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("TMPDIR", disk)
}

// owner is who a file belongs to on disk.
func owner(t *testing.T, path string) string {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

func TestAnOverlayInAUserNamespaceKeepsItsOwnersOnDisk(t *testing.T) {
	onMappableDisk(t)
	leak.Check(t)
	c := newBundle(t, `
		cat /proc/self/uid_map /proc/self/gid_map | tr -s ' '; id -u
		stat -c %u:%g / /etc /etc/passwd
		echo new > /etc/new; chown 33:44 /etc/new; echo more >> /etc/passwd; rm -r /root; mkdir /root
		stat -c %u:%g /etc/new /etc/passwd /root; mknod /tmp/n c 1 3 2>/dev/null || echo no nodes`, inUserNamespace(700000))
	out := mustRun(t, c)
	want := " 0 700000 65536\n 0 770000 65536\n0\n0:0\n0:0\n0:0\n33:44\n0:0\n0:0\nno nodes\n"
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	for name, want := range map[string]string{"etc": "0:0", "etc/new": "33:44", "etc/passwd": "0:0", "root": "0:0"} {
		if got := owner(t, filepath.Join(c.Bundle, "upper", name)); got != want {
			t.Errorf("upper/%s belongs to %s on disk, want %s", name, got, want)
		}
	}
	if again := mustRun(t, c); !strings.Contains(again, "33:44") { // an upper directory that was used before
		t.Errorf("the second time it says\n%s", again)
	}
}

func TestVolumesInAUserNamespaceAreMapped(t *testing.T) {
	onMappableDisk(t)
	leak.Check(t)
	vol := t.TempDir()
	if err := os.WriteFile(filepath.Join(vol, "a"), []byte("A"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, newBundle(t, "stat -c %u:%g /vol/a; cat /vol/a; touch /vol/b; chown 5:6 /vol/b; stat -c %u:%g /plain/a", inUserNamespace(700000), func(c *runtime.Config) {
		c.Spec.Mounts = append(c.Spec.Mounts,
			specs.Mount{Destination: "/vol", Type: "bind", Source: vol, Options: []string{"rbind", "ridmap"}},
			specs.Mount{Destination: "/plain", Type: "bind", Source: vol, Options: []string{"rbind"}})
	}))
	if out != "0:0\nA65534:65534\n" {
		t.Errorf("got %q", out)
	}
	if got := owner(t, filepath.Join(vol, "b")); got != "5:6" {
		t.Errorf("the volume's new file belongs to %s on disk", got)
	}
}

func TestMountsHaveMapsWithoutAUserNamespaceToo(t *testing.T) {
	onMappableDisk(t)
	leak.Check(t)
	vol := t.TempDir()
	out := mustRun(t, newBundle(t, "stat -c %u:%g /vol; touch /vol/x 2>/dev/null || echo root is nobody here", func(c *runtime.Config) {
		c.Spec.Mounts = append(c.Spec.Mounts, specs.Mount{
			Destination: "/vol", Type: "bind", Source: vol, Options: []string{"bind", "idmap"},
			UIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 10}},
			GIDMappings: []specs.LinuxIDMapping{{ContainerID: 0, HostID: 2000, Size: 10}},
		})
	}))
	if out != "1000:2000\nroot is nobody here\n" {
		t.Errorf("got %q", out)
	}
}

func TestFailAtAStepOfAUserNamespaceLeavesNothing(t *testing.T) {
	onMappableDisk(t)
	for _, name := range []string{
		"namespace.id-maps", "rootfs.host-sources", "overlay.mount-mapped", "namespace.clone", "rootfs.release-sources",
		"namespace.release-id-maps", "namespace.map-ids", "namespace.assume-root", "rootfs.bind",
	} {
		t.Run(name, func(t *testing.T) {
			goruntime.LockOSThread()
			defer goruntime.UnlockOSThread()
			leak.Check(t)
			c := newBundle(t, "true", inUserNamespace(700000))
			plan, err := runtime.Plan(c, runtime.IO{})
			if err != nil {
				t.Fatal(err)
			}
			r := step.Runner{Slots: ownStdio(t), Fault: step.Fault{Step: name}}
			if _, err := r.Run(plan); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("the plan did not fail there: %v", err)
			}
			if out, code := run(t, c, ""); code != 0 {
				t.Errorf("the next one fails too: %s", out)
			}
		})
	}
}

func TestAMappedOverlayThatFailsLeavesTheThreadWhereItWas(t *testing.T) {
	onMappableDisk(t)
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	here := func() string {
		ns, _ := os.Readlink("/proc/thread-self/ns/mnt")
		status, _ := os.ReadFile("/proc/thread-self/status")
		return ns + regexp.MustCompile("(?s)Uid:.*Groups").FindString(string(status))
	}
	before := here()
	for _, change := range []func(*runtime.Config){
		func(c *runtime.Config) { c.Overlay.Lower = append(c.Overlay.Lower, "/no/such/layer") },
		func(c *runtime.Config) { c.Overlay.Work = filepath.Join(c.Bundle, "base") },
	} {
		plan, err := runtime.Plan(newBundle(t, "true", inUserNamespace(700000), change), runtime.IO{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&step.Runner{Slots: ownStdio(t)}).Run(plan)
		if err == nil || !strings.Contains(err.Error(), "overlay.mount-mapped") {
			t.Errorf("the step did not fail: %v", err)
		}
		if after := here(); after != before {
			t.Errorf("after %v\nthe thread is\n%s, and was\n%s", err, after, before)
		}
	}
}

func TestWrongMapsAreRefused(t *testing.T) {
	one := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 10}}
	for want, m := range map[string]specs.Mount{
		"come together":         {Type: "bind", Source: "/tmp", Options: []string{"idmap"}, UIDMappings: one},
		"only a bind mount":     {Type: "tmpfs", Source: "tmpfs", Options: []string{"idmap"}},
		"idmap needs":           {Type: "bind", Source: "/tmp", Options: []string{"ridmap"}},
		"only a bind mount can": {Type: "tmpfs", Source: "tmpfs", UIDMappings: one, GIDMappings: one},
	} {
		m.Destination = "/x"
		c := &runtime.Config{ID: "x", Bundle: "/nowhere", Spec: spec("true")}
		c.Spec.Mounts = []specs.Mount{m}
		if _, err := runtime.Plan(c, runtime.IO{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", m, err, want)
		}
	}
}
