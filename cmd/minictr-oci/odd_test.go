package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
)

// A pipe would have the runtime, and the engine above it, wait for ever.
func TestAConfigurationThatIsNoFileIsRefused(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(b.bundle, "config.json")
	for kind, make := range map[string]func() error{
		"pipe":      func() error { return unix.Mkfifo(path, 0o600) },
		"directory": func() error { return os.Mkdir(path, 0o700) },
		"device":    func() error { return os.Symlink("/dev/zero", path) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		t.Log(kind)
		b.fail(1, "config.json is no regular file", "create", b.id)
		b.fail(1, "config.json is no regular file", "run", b.id)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// Who asks while create is at it gets no state in between; and what a create
// that was killed has left can be deleted.
func TestAContainerIsNotThereUntilItIsCreated(t *testing.T) {
	b := newBench(t)
	b.program("true")
	b.save()
	dir := filepath.Join(b.root, b.id)
	if err := os.Mkdir(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(b.bundle, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	state := fmt.Sprintf(`{"id": %q, "bundle": %q, "pid": 0}`, b.id, b.bundle)
	for name, content := range map[string]string{"config.json": string(config), "state.json": state} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.fail(1, "container does not exist", "state", b.id)
	b.do("delete", b.id)
}

// Somebody moved the process into a v1 cgroup of his own and stopped it there.
func TestDeleteEndsAProcessThatSomebodyElseHasFrozen(t *testing.T) {
	h, err := cgroup.Detect()
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	dir := h.Unified + "/" + b.id + "-foreign"
	file, frozen, members := "cgroup.freeze", "1", "cgroup.procs"
	if point := h.V1["freezer"]; point != "" {
		dir, file, frozen = point+"/"+b.id+"-foreign", "freezer.state", "FROZEN"
	}
	b.program("sleep", "1000")
	b.save()
	b.do("run", "--detach", b.id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	for _, w := range [][2]string{{members, strconv.Itoa(b.state().Pid)}, {file, frozen}} {
		if err := os.WriteFile(filepath.Join(dir, w[0]), []byte(w[1]), 0); err != nil {
			t.Fatal(err)
		}
	}
	b.do("delete", "--force", b.id)
	if err := os.Remove(dir); err != nil {
		t.Error(err)
	}
}

// A container may have made a cgroup below its own in some hierarchies only.
func TestExecGoesIntoTheCgroupsThatThereAre(t *testing.T) {
	b := newBench(t)
	b.program("sleep", "1000")
	b.save()
	b.do("run", "--detach", b.id)
	made := ""
	for _, dir := range inHierarchies(t, "/"+b.id) {
		if _, err := os.Stat(dir); err == nil {
			made = dir
		}
	}
	if err := os.Mkdir(filepath.Join(made, "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	out := b.do("exec", "--cgroup", "inner", b.id, "cat", "/proc/self/cgroup")
	if strings.Count(out, "/inner\n") != 1 {
		t.Errorf("%s/inner was made; the process is in\n%s", made, out)
	}
	b.fail(255, "error adding pid of the new process to its cgroup", "exec", "--cgroup", "nothing", b.id, "true")
}

// The host's network, or another container's, and users of its own.
func TestAUserNamespaceIsMadeBesideNamespacesOfTheHost(t *testing.T) {
	for _, offsets := range []map[string]specs.LinuxTimeOffset{nil, {"boottime": {Secs: 1000}}} {
		b := newBench(t)
		if err := os.Chown(filepath.Join(b.bundle, "rootfs"), 100000, 100000); err != nil {
			t.Fatal(err)
		}
		b.without(specs.NetworkNamespace)
		b.without(specs.UTSNamespace)
		b.spec.Hostname = ""
		ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
		b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings = ids, ids
		own := func(kind string) string { return fmt.Sprintf("/proc/%d/ns/%s", os.Getpid(), kind) }
		b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace},
			specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: own("net")}, specs.LinuxNamespace{Type: specs.UTSNamespace, Path: own("uts")})
		if offsets != nil {
			b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
			b.spec.Linux.TimeOffsets = offsets
		}
		want := ""
		for _, kind := range []string{"net", "uts"} {
			link, err := os.Readlink(own(kind))
			if err != nil {
				t.Fatal(err)
			}
			want += link + "\n"
		}
		if out := b.run("sh", "-c", "readlink /proc/self/ns/net; readlink /proc/self/ns/uts"); out != want {
			t.Errorf("namespaces\n%s, want\n%s", out, want)
		}
	}
}
