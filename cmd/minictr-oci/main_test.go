package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/leak"
	"minictr/pkg/oci"
)

// The tests drive the binary as an engine does. What depends on cgroups and users
// is tried in the VM too, on pure cgroup v2 and mounts that are shared.
//
//minictr:vm Cgroup|Update|Limit|KillAll|DeleteEnds|TheLifeOf|WrongMoments|ADeviceThat
//minictr:vm TestUserNamespaces|TestAUserNamespace|SharesTheUsers|ACreatedContainer

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("containers need root")
	}
}

var built struct {
	sync.Once
	dir, path string
	err       error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// binary builds minictr-oci once; the VM has no Go, and has it built already.
func binary(t testing.TB) string {
	t.Helper()
	built.Do(func() {
		if os.Getenv("MINICTR_VM") != "" {
			built.path = filepath.Join(os.Getenv("MINICTR_BIN"), "minictr-oci")
			return
		}
		if built.dir, built.err = os.MkdirTemp("", "minictr-oci"); built.err != nil {
			return
		}
		built.path = filepath.Join(built.dir, "minictr-oci")
		cmd := exec.Command("go", "build", "-o", built.path, ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

// bench is a runtime with a state directory of its own, and one bundle.
type bench struct {
	*testing.T
	dir, root, bundle, id string
	spec                  *specs.Spec
}

// newBench makes a bundle whose root is a busybox: the shell and its tools.
func newBench(t *testing.T) *bench {
	t.Helper()
	needRoot(t)
	binary(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, dir: dir, root: filepath.Join(dir, "state"), bundle: filepath.Join(dir, "bundle")}
	b.id = fmt.Sprintf("minictr-test-%d-%d", os.Getpid(), time.Now().UnixNano()%1e9)
	b.busybox()
	b.spec = oci.ExampleSpec(false, 0, 0)
	b.spec.Process.Terminal = false
	b.spec.Root.Readonly = false
	b.spec.Process.Rlimits = nil
	leak.Watch{Tokens: []string{b.id, dir}}.Check(t)
	t.Cleanup(func() {
		_, _ = b.try("delete", "--force", b.id)
		if left := b.containers(); len(left) > 0 {
			t.Errorf("left in the state directory: %v", left)
		}
	})
	if err := os.MkdirAll(b.root, 0o755); err != nil {
		t.Fatal(err)
	}
	return b
}

// containers lists the state directory but for the cache.
func (b *bench) containers() (names []string) {
	b.Helper()
	entries, err := os.ReadDir(b.root)
	if err != nil {
		b.Error(err)
	}
	for _, e := range entries {
		if e.Name() != "@cache" {
			names = append(names, e.Name())
		}
	}
	return names
}

func (b *bench) busybox() {
	b.Helper()
	source, err := exec.LookPath("busybox")
	if err != nil {
		b.Fatal("the tests need busybox (package busybox-static)")
	}
	bin := filepath.Join(b.bundle, "rootfs", "bin")
	for _, d := range []string{bin, filepath.Join(b.bundle, "rootfs", "etc"), filepath.Join(b.bundle, "rootfs", "tmp")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	content, err := os.ReadFile(source)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "busybox"), content, 0o755); err != nil {
		b.Fatal(err)
	}
	for _, name := range strings.Fields("sh cat echo ls true false sleep id env pwd touch tty stty mount readlink ps kill hostname grep uname stat wc head date mkdir ln test cmp") {
		if err := os.Symlink("busybox", filepath.Join(bin, name)); err != nil {
			b.Fatal(err)
		}
	}
}

// program sets what the container runs.
func (b *bench) program(args ...string) { b.spec.Process.Args = args }

func (b *bench) save() {
	b.Helper()
	content, err := json.Marshal(b.spec)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.bundle, "config.json"), content, 0o644); err != nil {
		b.Fatal(err)
	}
}

// result is how a command ended.
type result struct {
	out  string // both outputs
	code int
}

// try runs a command to its end. Output goes to a file: a container that stays
// must not hold a pipe open.
func (b *bench) try(args ...string) (result, error) {
	return b.tryWith(nil, args...)
}

func (b *bench) tryWith(change func(*exec.Cmd), args ...string) (result, error) {
	f, err := os.CreateTemp(b.dir, "output")
	if err != nil {
		return result{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	cmd := exec.Command(binary(b), append([]string{"--root", b.root}, args...)...)
	cmd.Dir = b.bundle
	cmd.Stdout, cmd.Stderr = f, f
	if change != nil {
		change(cmd)
	}
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	err = cmd.Run()
	timer.Stop()
	out, e := os.ReadFile(f.Name())
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return result{string(out), cmd.ProcessState.ExitCode()}, errors.Join(err, e)
}

// do runs a command that must succeed.
func (b *bench) do(args ...string) string {
	b.Helper()
	r, err := b.try(args...)
	if err != nil {
		b.Fatal(err)
	}
	if r.code != 0 {
		b.Fatalf("%v: exit status %d\n%s", args, r.code, r.out)
	}
	return r.out
}

// fail runs a command that must fail with this status and message.
func (b *bench) fail(code int, message string, args ...string) {
	b.Helper()
	r, err := b.try(args...)
	if err != nil {
		b.Fatal(err)
	}
	r.out = strings.ReplaceAll(r.out, `\"`, `"`) // quoted once more in a log line
	if r.code != code || !strings.Contains(r.out, message) {
		b.Fatalf("%v: exit status %d, want %d and %q\n%s", args, r.code, code, message, r.out)
	}
	if strings.Count(strings.TrimSpace(r.out), "\n") != 0 {
		b.Errorf("%v: the message has more than one line:\n%s", args, r.out)
	}
}

// run runs the bundle in the foreground and returns its output.
func (b *bench) run(args ...string) string {
	b.Helper()
	b.program(args...)
	b.save()
	return b.do("run", b.id)
}

func (b *bench) status() specs.ContainerState {
	b.Helper()
	var s specs.State
	if err := json.Unmarshal([]byte(b.do("state", b.id)), &s); err != nil {
		b.Fatal(err)
	}
	return s.Status
}

func (b *bench) state() (s specs.State) {
	b.Helper()
	if err := json.Unmarshal([]byte(b.do("state", b.id)), &s); err != nil {
		b.Fatal(err)
	}
	return s
}

// await waits for a status.
func (b *bench) await(want specs.ContainerState) {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); b.status() != want; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("the container is %s, want %s", b.status(), want)
		}
	}
}
