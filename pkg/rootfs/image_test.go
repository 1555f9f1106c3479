package rootfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestTargetsAreMadeBehindLinksOfTheImage(t *testing.T) {
	root := t.TempDir()
	for link, target := range map[string]string{
		"absolute": "/to/here", "relative": "../../../dir/file", "chain": "absolute/more", "there": "dir", "loop": "loop",
		"dir/up": "../absolute", "magic": "/proc/self/root/x",
	} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"/absolute": "/to/here", "/relative": "/dir/file", "/chain": "/to/here/more", "/there": "/there", "/loop": "/loop",
		"/dir/up/sub": "/to/here/sub", "/absolute/a/b": "/to/here/a/b", "/nothing/here": "/nothing/here", "/there/new": "/there/new",
		"/magic": "/proc/self/root/x", "/loop/x": "/loop/x",
	} {
		mounts, err := Parse([]specs.Mount{{Destination: name, Type: "bind", Source: "/"}})
		if err != nil {
			t.Fatal(err)
		}
		got := Over(root, mounts)[0].Destination
		if got != want && !(name == "/there/new" && got == "/dir/new") {
			t.Errorf("%s: made at %s, want %s", name, got, want)
		}
	}
}

func TestATmpfsTakesOverTheModeOfItsDirectory(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "tmp")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o712|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for options, want := range map[string]string{"": "mode=1712", "size=1m": "size=1m mode=1712", "mode=700": "mode=700"} {
		mounts, err := Parse([]specs.Mount{{Destination: "/tmp", Type: "tmpfs", Options: strings.Fields(options)}})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(Over(root, mounts)[0].data, " "); got != want {
			t.Errorf("%q: %q, want %q", options, got, want)
		}
	}
}

func TestNothingPosesAsProc(t *testing.T) {
	for _, c := range []struct {
		mount specs.Mount
		ok    bool
	}{
		{specs.Mount{Destination: "/proc", Type: "proc"}, true},
		{specs.Mount{Destination: "/proc", Type: "bind", Source: "/proc"}, true},
		{specs.Mount{Destination: "/proc", Type: "bind", Source: "/"}, false},
		{specs.Mount{Destination: "/proc/", Type: "tmpfs"}, false},
		{specs.Mount{Destination: "/proc/self", Type: "bind", Source: "/tmp"}, false},
		{specs.Mount{Destination: "/proc/../proc/self/attr", Type: "tmpfs"}, false},
		{specs.Mount{Destination: "/proc/cpuinfo", Type: "bind", Source: "/dev/null"}, true},
		{specs.Mount{Destination: "/process", Type: "tmpfs"}, true},
	} {
		if _, err := Parse([]specs.Mount{c.mount}); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.mount, err)
		}
	}
}

func TestUnknownOptionsOfABindMountAreRefused(t *testing.T) {
	_, err := Parse([]specs.Mount{{Destination: "/x", Type: "bind", Source: "/", Options: []string{"rbind", "reed-only"}}})
	if err == nil || !strings.Contains(err.Error(), "reed-only") {
		t.Errorf("got %v", err)
	}
	// The validation suite has this one.
	if _, err := Parse([]specs.Mount{{Destination: "/x", Type: "bind", Source: "/", Options: []string{"rbind", "mode=755"}}}); err != nil {
		t.Error(err)
	}
}
