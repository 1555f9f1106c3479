package shim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/image/layer"
	"minictr/pkg/leak"
	"minictr/pkg/logging"
	"minictr/pkg/network"
	"minictr/pkg/overlay"
	"minictr/pkg/record"
	"minictr/pkg/runtime"
	"minictr/pkg/shim"
	"minictr/pkg/shim/client"
	"minictr/rootfs"
)

//minictr:vm

// testDir is for all tests of this run; shimPath is a link there to this
// test's own program, which is a shim under that name.
var testDir, shimPath string

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "minictr-shim":
		os.Exit(shim.Main())
	case "minictr-client":
		os.Exit(clientMain())
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "minictr-shim-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	testDir, shimPath = dir, filepath.Join(dir, "minictr-shim")
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, shimPath)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return leak.Main(m)
}

// image is the base image, unpacked once for all containers.
var image = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(testDir, "image")
	tarball, err := rootfs.Tarball()
	if err != nil {
		return "", err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	_, err = layer.Extract(context.Background(), bytes.NewReader(tarball), dir, layer.Promise{}, layer.Limits{})
	return dir, err
})

// box is a container of a test.
type box struct {
	t      testing.TB
	dirs   record.Dirs
	id     string
	config shim.Config
	spec   *specs.Spec

	endpoint *network.Endpoint
}

// newBox makes the record and the bundle of a container that runs a script.
func newBox(t testing.TB, script string, edit ...func(*box)) *box {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make containers")
	}
	lower, err := image()
	if err != nil {
		t.Fatal(err)
	}
	top := t.TempDir()
	b := &box{
		t: t, dirs: record.Dirs{Root: filepath.Join(top, "root"), Run: filepath.Join(top, "run")},
		id: fmt.Sprintf("%064x", time.Now().UnixNano()), spec: spec(script),
	}
	t.Cleanup(func() { leak.AwaitShims(t, b.dir()) })
	reservation, err := record.Reserve(b.dirs, b.id, "box")
	if err != nil {
		t.Fatal(err)
	}
	b.config.Log.Path = b.log()
	for _, e := range edit {
		e(b)
	}
	for _, d := range []string{"upper", "work", "rootfs"} {
		if err := os.Mkdir(filepath.Join(b.dir(), d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	layers := &overlay.Layers{Lower: []string{lower}, Upper: b.dir() + "/upper", Work: b.dir() + "/work"}
	if err := runtime.Save(&runtime.Config{ID: b.id, Bundle: b.dir(), Spec: b.spec, Overlay: layers, Network: b.endpoint, RunDir: b.dirs.Run}); err != nil {
		t.Fatal(err)
	}
	if err := shim.SaveConfig(b.dir(), b.config); err != nil {
		t.Fatal(err)
	}
	if err := reservation.Commit(json.RawMessage(`{}`)); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *box) dir() string { return b.dirs.Container(b.id) }
func (b *box) log() string { return filepath.Join(b.dir(), b.id+"-json.log") }

func (b *box) state() record.State {
	b.t.Helper()
	s, err := record.ReadState(b.dir())
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// logged is what the log has kept.
func (b *box) logged() string { return b.tail(-1) }

// lastLogged is the log's last line.
func (b *box) lastLogged() string { return b.tail(1) }

func (b *box) tail(lines int) string {
	b.t.Helper()
	var s strings.Builder
	err := logging.Read(context.Background(), b.log(), logging.Options{Tail: lines}, func(m logging.Message) error {
		s.WriteString(m.Text)
		return nil
	})
	if err != nil {
		b.t.Error(err)
	}
	return s.String()
}

// options start the box with its outputs in buffers.
func (b *box) options() (client.Options, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	return client.Options{Dirs: b.dirs, ID: b.id, Shim: shimPath, Streams: client.Streams{Stdout: &out, Stderr: &err}}, &out, &err
}

// start starts the box, and makes sure that it does not outlive the test.
func (b *box) start(o client.Options) *client.Session {
	b.t.Helper()
	s, err := client.Start(b.t.Context(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		s.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = client.Signal(ctx, b.dirs, b.id, 9)
		_, _ = client.Wait(ctx, b.dirs, b.id)
	})
	return s
}

// wait waits for the end of a session, not for ever.
func (b *box) wait(s *client.Session) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	exit, err := s.Wait(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	if exit.Error != "" {
		b.t.Error(exit.Error)
	}
	return exit.Code
}

// run runs the box to its end.
func (b *box) run() (stdout, stderr string, code int) {
	b.t.Helper()
	o, out, err := b.options()
	code = b.wait(b.start(o))
	return out.String(), err.String(), code
}

// left lists what is in the container's directories, besides the record.
func (b *box) left() []string {
	b.t.Helper()
	var list []string
	for _, dir := range []string{b.dirs.Run + "/containers", b.dirs.Root + "/containers", b.dirs.Root + "/names", b.dirs.Root + "/trash"} {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			list = append(list, filepath.Join(filepath.Base(filepath.Dir(dir)), filepath.Base(dir), e.Name()))
		}
	}
	slices.Sort(list)
	return list
}

func spec(script string) *specs.Spec {
	mount := func(dst, typ string, options ...string) specs.Mount {
		return specs.Mount{Destination: dst, Type: typ, Source: typ, Options: options}
	}
	caps := []string{"CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"}
	return &specs.Spec{
		Version: "1.2.0", Root: &specs.Root{Path: "rootfs"},
		Process: &specs.Process{
			Args: []string{"sh", "-c", script}, Cwd: "/", Env: []string{"PATH=/bin:/usr/bin:/sbin", "TERM=xterm"},
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
		},
		Mounts: []specs.Mount{
			mount("/proc", "proc", "nosuid", "noexec", "nodev"),
			mount("/dev", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
			mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
		},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{
			{Type: "pid"}, {Type: "mount"}, {Type: "ipc"}, {Type: "uts"}, {Type: "network"}, {Type: "cgroup"},
		}},
	}
}
