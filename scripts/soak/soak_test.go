package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/leak"
)

// TestMain is the program too, for the process with a mount namespace of its own.
func TestMain(m *testing.M) {
	if os.Getenv(inPrivate) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(leak.Main(m))
}

// The short form of each check, against programs built from this source.
func TestNothingIsLostOrLeftBehind(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("containers need root")
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "minictr/cmd/minictr", "minictr/cmd/minictr-shim")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			leak.Check(t)
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			out, err := os.Create(filepath.Join(t.TempDir(), "out"))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			cmd := exec.Command(self, "-short", "-bin", bin, c.name)
			cmd.Env = append(os.Environ(), inPrivate+"=1")
			cmd.Stdout, cmd.Stderr = out, out
			cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
			if err := cmd.Wait(); err != nil {
				text, _ := os.ReadFile(out.Name())
				t.Errorf("%v\n%s", err, bytes.TrimSpace(text))
			}
		})
	}
}

func TestAnUnknownCheckIsRefused(t *testing.T) {
	if ok, err := run(new(bytes.Buffer), t.TempDir(), 1, short, []string{"nonsense"}); ok || err == nil {
		t.Errorf("%v, %v", ok, err)
	}
}
