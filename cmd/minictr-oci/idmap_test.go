package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The specification's words for idmapped mounts: runtime-spec config.md,
// "Mounts", options idmap and ridmap, uidMappings and gidMappings.

func ids(container, host, size uint32) []specs.LinuxIDMapping {
	return []specs.LinuxIDMapping{{ContainerID: container, HostID: host, Size: size}}
}

// idmapped is a bundle with a directory of 1000:2000 with a mount in it, at
// /data and /data/sub, with these options.
func idmapped(t *testing.T, options ...string) *bench {
	b := newBench(t)
	data := filepath.Join(b.dir, "data")
	for _, dir := range []string{filepath.Join(data, "sub"), filepath.Join(b.dir, "other")} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{data, filepath.Join(b.dir, "other")} {
		if err := errors.Join(os.Chown(dir, 1000, 2000), os.Chmod(dir, 0o777)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount(filepath.Join(b.dir, "other"), filepath.Join(data, "sub"), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(filepath.Join(data, "sub"), unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	b.mount("/data", "bind", data, options...)
	return b
}

func (b *bench) data() *specs.Mount { return &b.spec.Mounts[len(b.spec.Mounts)-1] }

// users gives the container a user namespace.
func (b *bench) users(first uint32) {
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings = ids(0, first, 65536), ids(0, first, 65536)
	if err := os.Chown(filepath.Join(b.bundle, "rootfs"), int(first), int(first)); err != nil { // who makes /proc and /dev there
		b.Fatal(err)
	}
}

const owners = "stat -c %u:%g /data /data/sub | tr '\\n' ' '; touch /data/new"

func (b *bench) owner(name string) string {
	b.Helper()
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(b.dir, name), &st); err != nil {
		b.Fatal(err)
	}
	return fmt.Sprintf("%d:%d", st.Uid, st.Gid)
}

func TestMountsAreMappedWithoutAUserNamespace(t *testing.T) {
	for _, c := range []struct {
		options []string
		want    string
	}{
		{[]string{"rbind", "idmap"}, "0:0 1000:2000 "},
		{[]string{"rbind", "ridmap"}, "0:0 0:0 "},
		{[]string{"rbind"}, "0:0 1000:2000 "},                     // the option is advised only
		{[]string{"bind", "idmap", "noexec"}, "0:0 65534:65534 "}, // here /data/sub is a directory of root, whom the maps leave out
	} {
		t.Run(strings.Join(c.options, ","), func(t *testing.T) {
			b := idmapped(t, c.options...)
			b.data().UIDMappings, b.data().GIDMappings = ids(1000, 0, 10), ids(2000, 0, 10)
			if out := b.run("sh", "-c", owners); out != c.want {
				t.Errorf("owners %q, want %q", out, c.want)
			}
			if got := b.owner("data/new"); got != "1000:2000" {
				t.Errorf("what root makes belongs to %s on disk", got)
			}
		})
	}
}

func TestMountsTakeTheMapsOfTheUserNamespace(t *testing.T) {
	b := idmapped(t, "rbind", "ridmap")
	b.users(100000)
	if out := b.run("sh", "-c", owners); out != "1000:2000 1000:2000 " {
		t.Errorf("owners %q", out)
	}
	if got := b.owner("data/new"); got != "0:0" {
		t.Errorf("what root makes belongs to %s on disk", got)
	}
}

func TestMapsOfAMountGoBeforeThoseOfTheUserNamespace(t *testing.T) {
	b := idmapped(t, "bind", "idmap")
	b.users(100000)
	b.data().UIDMappings, b.data().GIDMappings = ids(1000, 100000, 1), ids(2000, 100005, 1)
	b.program("sh", "-c", "stat -c %u:%g /data")
	b.save()
	if out := b.do("run", b.id); out != "0:5\n" {
		t.Errorf("owner %q", out)
	}
}

func TestMountsThatCannotBeMappedAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bench)
		want   string
	}{
		"no maps":    {func(*bench) {}, "idmap needs uidMappings and gidMappings, or a user namespace of the container"},
		"users only": {func(b *bench) { b.data().UIDMappings = ids(0, 1, 1) }, "uidMappings and gidMappings come together"},
		"a file system": {func(b *bench) {
			*b.data() = specs.Mount{Destination: "/t", Type: "tmpfs", Source: "tmpfs", Options: []string{"ridmap"}}
		}, "only a bind mount can be an idmapped one"},
		"overlapping": {func(b *bench) {
			b.data().UIDMappings = append(ids(0, 1000, 10), ids(5, 3000, 10)...)
			b.data().GIDMappings = ids(0, 1000, 10)
		}, "for uid_map: Invalid argument"},
		"a file system without owners": {func(b *bench) {
			b.data().Source = "/proc"
			b.data().UIDMappings, b.data().GIDMappings = ids(0, 1000, 10), ids(0, 1000, 10)
		}, "for /proc: Invalid argument"},
	} {
		t.Run(name, func(t *testing.T) {
			b := idmapped(t, "bind", "idmap")
			c.change(b)
			b.program("true")
			b.save()
			b.fail(1, c.want, "run", b.id)
		})
	}
}

func TestFeaturesNameIDMappedMounts(t *testing.T) {
	b := newBench(t)
	out := b.do("features")
	for _, want := range []string{`"idmap":{"enabled":true}`, `"ridmap"`} {
		if !strings.Contains(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(out), want) {
			t.Errorf("no %s in %s", want, out)
		}
	}
}
