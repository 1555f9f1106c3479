package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// What engines leave to the runtime: values that a configuration need not say.

func TestHomeComesFromTheRootsPasswdFile(t *testing.T) {
	b := newBench(t)
	passwd := filepath.Join(b.bundle, "rootfs/etc/passwd")
	if err := os.WriteFile(passwd, []byte("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := b.run("sh", "-c", "echo $HOME"); out != "/root\n" {
		t.Errorf("of root: %q", out)
	}
	b.spec.Process.User.UID = 77
	if out := b.run("sh", "-c", "echo $HOME"); out != "/\n" {
		t.Errorf("of a user without one: %q", out)
	}
	b.running()
	for _, run := range [][]string{{"--user", "1000", "/home/user\n"}, {"--env", "HOME=/mine", "/mine\n"}} {
		if out := b.do("exec", run[0], run[1], b.id, "sh", "-c", "echo $HOME"); out != run[2] {
			t.Errorf("exec %s %s: %q", run[0], run[1], out)
		}
	}
}

// TestTheProgramsUserMayOpenItsOutput: many images log to /dev/stdout.
func TestTheProgramsUserMayOpenItsOutput(t *testing.T) {
	b := newBench(t)
	b.spec.Process.User = specs.User{UID: 1000, GID: 1000}
	b.program("sh", "-c", "echo once more >/proc/self/fd/1")
	b.save()
	out, err := os.Create(filepath.Join(b.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	r, err := b.tryWith(func(cmd *exec.Cmd) { cmd.Stdout = out }, "run", b.id)
	content, _ := os.ReadFile(out.Name())
	if err != nil || r.code != 0 || !strings.Contains(string(content), "once more") {
		t.Errorf("exit status %d, %v, %q %q", r.code, err, r.out, content)
	}
}

func TestAUserNamespaceWithoutMapsHasRootOnly(t *testing.T) {
	b := newBench(t)
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	for i, m := range b.spec.Mounts {
		if m.Destination == "/dev/pts" { // group 5 is nobody there
			b.spec.Mounts[i].Options = []string{"nosuid", "noexec", "newinstance"}
		}
	}
	b.spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1", "kernel.msgmax": "8191"} // its root may set them
	if out := b.run("sh", "-c", "id -u; cat /proc/self/uid_map /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax"); strings.Join(strings.Fields(out), " ") != "0 0 0 1 1 8191" {
		t.Errorf("output %q", out)
	}
}

func TestSettingsOfTheHostAreRefused(t *testing.T) {
	b := newBench(t)
	b.program("true")
	namespaces := b.spec.Linux.Namespaces
	for _, c := range []struct {
		key     string
		without specs.LinuxNamespaceType
		message string
	}{
		{"kernel.panic", "", "not in a separate kernel namespace"},
		{"vm/swappiness", "", "not in a separate kernel namespace"},
		{"kernel.hostname", "", "conflicts"},
		{"kernel.domainname", "", "conflicts"},
		{"net.ipv4.ip_forward", specs.NetworkNamespace, "host's network namespace"},
		{"kernel.msgmax", specs.IPCNamespace, "host's ipc namespace"},
		{"user.max_user_namespaces", "", "host's user namespace"},
		{"net/../kernel/panic", "", "no such setting"},
		{"net.//.kernel.panic", "", "no such setting"},
	} {
		b.spec.Linux.Namespaces = namespaces
		if c.without != "" {
			b.spec.Linux.Namespaces = append([]specs.LinuxNamespace{}, namespaces...)
			b.without(c.without)
		}
		b.spec.Domainname = "example.org"
		b.spec.Linux.Sysctl = map[string]string{c.key: "1"}
		b.save()
		b.fail(1, c.message, "create", b.id)
	}
	b.spec.Linux.Namespaces = append([]specs.LinuxNamespace{}, namespaces...)
	b.without(specs.NetworkNamespace)
	b.spec.Linux.Namespaces = append(b.spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "/proc/self/ns/net"})
	b.spec.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
	b.save()
	b.fail(1, "host's network namespace", "create", b.id)
}

// TestTheConfigurationMayHaveAnotherName is crun's flag --config.
func TestTheConfigurationMayHaveAnotherName(t *testing.T) {
	b := newBench(t)
	b.program("echo", "other")
	b.save()
	if err := os.Mkdir(filepath.Join(b.bundle, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(b.bundle, "config.json"), filepath.Join(b.bundle, "sub/other.json")); err != nil {
		t.Fatal(err)
	}
	if out := b.do("--cgroup-manager", "cgroupfs", "run", "--config", "sub/other.json", b.id); out != "other\n" {
		t.Errorf("output %q", out)
	}
	b.fail(1, "other.json not found", "run", "--config", "other.json", b.id)
	b.fail(1, "cgroup-manager", "--cgroup-manager", "disabled", "run", b.id)
}

func TestADeadlineThatCannotBeSaysWhy(t *testing.T) {
	b := newBench(t)
	b.program("true")
	for message, s := range map[string]specs.Scheduler{
		"requires `runtime`":  {Deadline: 20e6},
		"requires `deadline`": {Runtime: 20e6},
		"must be <= deadline": {Runtime: 30e6, Deadline: 20e6},
		"must be <= period":   {Runtime: 10e6, Deadline: 30e6, Period: 20e6},
		"must be between":     {Runtime: 1023, Deadline: 20e6},
	} {
		s.Policy = specs.SchedDeadline
		b.spec.Process.Scheduler = &s
		b.save()
		b.fail(1, message, "create", b.id)
	}
}
