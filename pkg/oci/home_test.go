package oci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestHomeIsReadFromThePasswdFile(t *testing.T) {
	const file = "root:x:0:0:root:/root:/bin/sh\nshort:x:7\nnobody:x:7:7::relative:\n#\nuser:x:1000:1000:A User:/home/user:/bin/sh\nagain:x:1000:1::/other:"
	for uid, want := range map[uint32]string{0: "/root", 1000: "/home/user", 7: "/", 42: "/"} {
		if got := parseHome(strings.NewReader(file), uid); got != want {
			t.Errorf("uid %d: %q, want %q", uid, got, want)
		}
	}
}

func TestHomeOfTheConfigurationStays(t *testing.T) {
	p := &specs.Process{Env: []string{"HOME=/mine"}}
	if fillHome(p, "/", nil); len(p.Env) != 1 || p.Env[0] != "HOME=/mine" {
		t.Errorf("environment %q", p.Env)
	}
}

// TestAPasswdFileOfTheImageCannotMisleadUs: a link stays in the root, and a
// fifo that nobody writes to does not keep us waiting.
func TestAPasswdFileOfTheImageCannotMisleadUs(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(outside, []byte("root:x:0:0:root:/escaped:/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string]func(string) error{
		"link": func(path string) error { return os.Symlink(outside, path) },
		"fifo": func(path string) error { return unix.Mkfifo(path, 0o644) },
		"dir":  func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		root := t.TempDir()
		if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := place(filepath.Join(root, "etc/passwd")); err != nil {
			t.Fatal(err)
		}
		if got := homeIn(root, 0); got != "/" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTheLastValueOfAVariableCounts(t *testing.T) {
	got := merged([]string{"A=1", "AB=2", "C=3"}, []string{"A=4", "D=5", "D=6"})
	if want := "AB=2 C=3 A=4 D=6"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEachVariableIsThereOnce(t *testing.T) {
	for text, want := range map[string]string{
		"A=1 B=2 A=3":       "B=2 A=3",
		"A=1 A=":            "A=",
		"HOME=/x HOME= B=1": "B=1",
		"HOME=/x HOME=/y":   "HOME=/y",
	} {
		if got := strings.Join(once(strings.Fields(text)), " "); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
