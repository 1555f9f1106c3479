package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// TestMountsOfAllKindsAreMade: one configuration each, one look from inside.
func TestMountsOfAllKindsAreMade(t *testing.T) {
	for name, test := range map[string]struct {
		change func(b *bench, dir string)
		script string
		want   string
	}{
		"overlay of host directories": {func(b *bench, dir string) {
			for _, d := range []string{"lower", "upper", "work"} {
				if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
					b.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "lower/file"), []byte("lower\n"), 0o644); err != nil {
				b.Fatal(err)
			}
			b.mount("/overlay", "overlay", "overlay", "lowerdir="+dir+"/lower", "upperdir="+dir+"/upper", "workdir="+dir+"/work")
		}, "cat /overlay/file", "lower"},
		"target behind a link to nothing": {func(b *bench, dir string) {
			b.link("/not/there", "etc/link")
			b.mount("/etc/link", "bind", "/dev/null", "bind")
		}, "grep -o '/not/there ' /proc/self/mountinfo", "/not/there"},
		"a link as target": {func(b *bench, dir string) {
			b.link("nowhere", "target")
			b.mount("/target", "bind", "/etc/hostname", "bind", "dest-nofollow")
		}, "test -f /target && ! test -L /target && echo file", "file"},
		"a link as source": {func(b *bench, dir string) {
			if err := os.Symlink("nowhere", filepath.Join(dir, "source")); err != nil {
				b.Fatal(err)
			}
			b.mount("/target", "bind", filepath.Join(dir, "source"), "bind", "src-nofollow", "dest-nofollow")
		}, "readlink /target", "nowhere"},
		"a copied link": {func(b *bench, dir string) {
			if err := os.Symlink("nowhere", filepath.Join(dir, "source")); err != nil {
				b.Fatal(err)
			}
			b.mount("/deep/down/target", "bind", filepath.Join(dir, "source"), "bind", "copy-symlink")
		}, "readlink /deep/down/target", "nowhere"},
		"a tmpfs with its directory's mode": {func(b *bench, dir string) {
			if err := os.Chmod(filepath.Join(b.bundle, "rootfs/tmp"), 0o750); err != nil {
				b.Fatal(err)
			}
			b.mount("/tmp", "tmpfs", "tmpfs")
		}, "stat -c %a /tmp", "750"},
		"sysfs without a network namespace": {func(b *bench, dir string) {
			b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
			b.without(specs.NetworkNamespace)
			ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 65536}}
			b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings = ids, ids
		}, "grep -c ' /sys ro,.* sysfs ' /proc/self/mountinfo", "1"},
		"a source in the root, with what is mounted there": {func(b *bench, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "file"), []byte("inner\n"), 0o644); err != nil {
				b.Fatal(err)
			}
			root := filepath.Join(b.bundle, "rootfs")
			b.mount("/mnt/x", "bind", dir, "bind")
			b.mount(root+"/final", "bind", root+"/mnt", "rbind")
		}, "cat /final/x/file", "inner"},
		"a source behind a link out of the root": {func(b *bench, dir string) {
			b.link(dir, "out")
			if err := os.MkdirAll(filepath.Join(b.bundle, "rootfs", dir, "own"), 0o755); err != nil {
				b.Fatal(err)
			}
			b.mount("/final", "bind", filepath.Join(b.bundle, "rootfs/out"), "bind")
		}, "ls /final", "own"},
		"a destination without a slash before it": {func(b *bench, dir string) {
			b.mount("srv/x", "tmpfs", "tmpfs")
		}, "grep -o ' /srv/x ' /proc/self/mountinfo", "/srv/x"},
		"one attribute and no others": {func(b *bench, dir string) {
			if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME, ""); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
			b.mount("/kept", "bind", dir, "bind", "rprivate")
			b.mount("/named", "bind", dir, "bind", "ro")
		}, `grep -oE ' /(kept|named) [^ ]*' /proc/self/mountinfo`, "/kept rw,nosuid,nodev,noatime\n /named ro,noatime"},
		"a tmpfs that begins with what it covers": {
			func(b *bench, dir string) {
				for _, args := range []string{"mkdir -p d/e", "chmod 1777 d/e", "ln -s nowhere d/l", "cp bin/busybox d/e/b", "touch d/empty", "chown 7:8 d/e/b d/empty", "chmod 4755 d/e/b", "mkfifo -m 640 d/p"} {
					cmd := exec.Command("busybox", strings.Fields(args)...)
					if cmd.Dir = filepath.Join(b.bundle, "rootfs"); cmd.Run() != nil {
						b.Fatal(args)
					}
				}
				b.mount("/d", "tmpfs", "tmpfs", "tmpcopyup", "ro", "nosuid")
			}, "cmp /d/e/b /bin/busybox; stat -c '%n %a %u:%g' /d /d/e /d/e/b /d/empty /d/p; readlink /d/l; touch /d/x 2>/dev/null || echo read-only; grep -o ' /d ro,nosuid' /proc/self/mountinfo",
			"/d 755 0:0\n/d/e 1777 0:0\n/d/e/b 4755 7:8\n/d/empty 644 7:8\n/d/p 640 0:0\nnowhere\nread-only\n /d ro,nosuid",
		},
		"no /dev at all": {func(b *bench, dir string) {
			b.spec.Mounts = append(b.spec.Mounts[:1:1], b.spec.Mounts[5])
		}, "stat -c '%F %t %T' /dev/null", "character special file 1 3"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			dir := t.TempDir()
			test.change(b, dir)
			if out := strings.TrimSpace(b.run("sh", "-c", test.script)); out != test.want {
				t.Errorf("%s printed %q, want %q", test.script, out, test.want)
			}
		})
	}
}

func TestADeviceThatTheHostHasNotIsMadeForAUserNamespace(t *testing.T) {
	b := newBench(t)
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings = ids, ids
	if err := os.Chown(filepath.Join(b.bundle, "rootfs"), 100000, 100000); err != nil {
		t.Fatal(err)
	}
	mode, owner := os.FileMode(0o626), uint32(7)
	b.spec.Linux.Devices = []specs.LinuxDevice{
		{Path: "/dev/minictr-null", Type: "c", Major: 1, Minor: 3, FileMode: &mode, UID: &owner},
		{Path: "/dev/minictr-zero", Type: "c", Major: 1, Minor: 5},
	}
	b.program("sh", "-c", "stat -c '%n %F %a %u:%g %t,%T' /dev/minictr-null /dev/minictr-zero; echo x >/dev/minictr-null && echo written")
	b.save()
	if !kernel.AtLeast(6, 15) {
		b.fail(1, "/dev/minictr-null", "run", b.id)
		return
	}
	want := "/dev/minictr-null character special file 626 7:0 1,3\n/dev/minictr-zero character special file 666 0:0 1,5\nwritten\n"
	if out := b.do("run", b.id); out != want {
		t.Errorf("output\n%s, want\n%s", out, want)
	}
}
