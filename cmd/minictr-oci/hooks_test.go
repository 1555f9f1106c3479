package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// hookBench has a hook of each kind that appends its name, the state it reads,
// and where it is, to a file.
func hookBench(t *testing.T) (b *bench, lines func() []string) {
	b = newBench(t)
	log := filepath.Join(b.dir, "hooks.log")
	inside := filepath.Join(b.bundle, "rootfs", "hooks.log")
	for _, f := range []string{log, inside} {
		if err := os.WriteFile(f, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	hook := func(kind, file string) []specs.Hook {
		script := `read state; echo "` + kind + ` $(hostname) $MARK $(readlink /proc/self/ns/uts) $state" >> ` + file
		return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"MARK=" + kind, "PATH=/bin:/usr/bin"}}}
	}
	b.spec.Annotations = map[string]string{"who": "me"}
	b.spec.Hooks = &specs.Hooks{
		//lint:ignore SA1019 deprecated and in use
		Prestart:        hook("prestart", log),
		CreateRuntime:   hook("createRuntime", log),
		CreateContainer: hook("createContainer", log),
		StartContainer:  hook("startContainer", "/hooks.log"),
		Poststart:       hook("poststart", log),
		Poststop:        hook("poststop", log),
	}
	return b, func() []string {
		var all []string
		for _, f := range []string{log, inside} {
			content, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, strings.Split(strings.TrimSpace(string(content)), "\n")...)
		}
		return all
	}
}

// TestHooksRunInOrderAndInTheirNamespaces: the file in the root is read last,
// so that startContainer, which alone can write there, stands at the end.
func TestHooksRunInOrderAndInTheirNamespaces(t *testing.T) {
	b, lines := hookBench(t)
	own, err := os.Readlink("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	b.program("true")
	b.save()
	b.do("create", b.id)
	pid := b.state().Pid
	if got := lines(); len(got) != 4 { // three and the empty file's one
		t.Errorf("after create: %q", got)
	}
	b.do("start", b.id)
	b.await(specs.StateStopped)
	b.do("delete", b.id)
	got := lines()
	want := []struct {
		kind   string
		host   bool
		status specs.ContainerState
	}{
		{"prestart", true, specs.StateCreated},
		{"createRuntime", true, specs.StateCreating},
		{"createContainer", false, specs.StateCreating},
		{"poststart", true, specs.StateRunning},
		{"poststop", true, specs.StateStopped},
		{"startContainer", false, specs.StateCreated},
	}
	if len(got) != len(want) {
		t.Fatalf("hooks: %q", got)
	}
	for i, w := range want {
		f := strings.SplitN(got[i], " ", 5)
		if f[0] != w.kind || f[2] != w.kind || (f[3] == own) != w.host {
			t.Errorf("hook %d: %q, want %+v", i, got[i], w)
		}
		var s specs.State
		if err := json.Unmarshal([]byte(f[4]), &s); err != nil {
			t.Fatal(err)
		}
		if s.Status != w.status || s.ID != b.id || s.Bundle != b.bundle || s.Annotations["who"] != "me" || (s.Pid != pid) != (w.kind == "poststop") {
			t.Errorf("state of %s: %+v, want %+v", w.kind, s, w)
		}
	}
}

// Engines count on it: what a poststart hook looks at is the program.
func TestPoststartFindsTheProgramAndNotUs(t *testing.T) {
	b := newBench(t)
	b.program("sleep", "1000")
	out := filepath.Join(b.dir, "program")
	b.spec.Hooks = &specs.Hooks{Poststart: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", `pid=$(grep -o '"pid":[0-9]*' | cut -d: -f2); cat /proc/$pid/comm > ` + out}, Env: []string{"PATH=/bin:/usr/bin"}}}}
	b.save()
	for range 5 {
		b.do("run", "--detach", b.id)
		if name, err := os.ReadFile(out); err != nil || string(name) != "sleep\n" {
			t.Fatalf("the hook found %q, %v", name, err)
		}
		b.do("delete", "--force", b.id)
	}
}

func TestRunRunsAllHooks(t *testing.T) {
	b, lines := hookBench(t)
	b.run("true")
	if got := lines(); len(got) != 6 {
		t.Errorf("hooks: %q", got)
	}
}

func TestAHookThatTakesTooLongIsKilledAndFailsCreate(t *testing.T) {
	b := newBench(t)
	b.program("true")
	one := 1
	b.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sleep", Args: []string{"sleep", "100"}, Timeout: &one}}}
	b.save()
	b.fail(1, "did not end in time", "create", b.id)
}

func TestAFailingStartContainerHookStopsTheContainer(t *testing.T) {
	b := newBench(t)
	b.program("sleep", "1000")
	b.spec.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/false"}}}
	b.save()
	b.do("create", b.id)
	b.fail(1, "error running startContainer hook #0", "start", b.id)
	b.await(specs.StateStopped)
	b.do("delete", b.id)
	b.fail(1, "error running startContainer hook #0", "run", b.id)
}

func TestAFailingPoststopHookDoesNotKeepTheContainer(t *testing.T) {
	b := newBench(t)
	b.program("true")
	b.spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/bin/false"}}}
	b.save()
	if out := b.do("run", b.id); !strings.Contains(out, "level=warning") {
		t.Errorf("no warning: %q", out)
	}
	b.fail(1, "container does not exist", "state", b.id)
}

// What a hook finds below the root is what the program will find, and what it
// mounts there stays: so devices and libraries of the host come into containers.
func TestHooksSeeTheMountsAndAddTheirOwn(t *testing.T) {
	for name, change := range map[string]func(*bench){
		"as usual":              func(*bench) {},
		"with a read-only /dev": func(b *bench) { b.spec.Mounts[1].Options = append(b.spec.Mounts[1].Options, "ro") },
		"in a user namespace": func(b *bench) {
			ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
			b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
			b.spec.Linux.UIDMappings, b.spec.Linux.GIDMappings = ids, ids
			if err := os.Chmod(filepath.Dir(b.dir), 0o755); err != nil { // its root has to come there
				b.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			file := filepath.Join(b.dir, "library")
			if err := os.WriteFile(file, []byte("of the host\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, d := range []string{"proc", "dev", "sys"} { // root of a user namespace could not make them
				if err := os.Mkdir(filepath.Join(b.bundle, "rootfs", d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			change(b)
			root := filepath.Join(b.bundle, "rootfs")
			script := "test -e " + root + "/proc/self && test -c " + root + "/dev/null && touch " + root + "/dev/library && mount --bind " + file + " " + root + "/dev/library"
			b.spec.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: []string{"PATH=/bin:/usr/bin:/sbin"}}}}
			if out := b.run("cat", "/dev/library"); out != "of the host\n" {
				t.Errorf("the program reads %q", out)
			}
			if out := b.run("ls", "/"); strings.Contains(out, "usr") || strings.Contains(out, "boot") {
				t.Errorf("the program's root:\n%s", out)
			}
			for line := range strings.Lines(b.run("cat", "/proc/self/mountinfo")) {
				if point := strings.Fields(line)[4]; strings.HasPrefix(point, "/tmp") || strings.HasPrefix(point, "/usr") || strings.HasPrefix(point, "/run") {
					t.Errorf("a mount of the host: %s", line)
				}
			}
		})
	}
}
