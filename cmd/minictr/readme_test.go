package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"minictr/pkg/leak"
	"minictr/pkg/record"
)

// TestTheReadmesCommandsWork runs what README.md shows, as it shows it, but for
// the commands that want a person at a terminal.
func TestTheReadmesCommandsWork(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("containers need root")
	}
	leak.Check(t)
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	dirs := record.Dirs{Root: filepath.Join(dir, "root"), Run: filepath.Join(dir, "run")}
	defer func() {
		if err := removeAll(dirs); err != nil {
			t.Error(err)
		}
		leak.AwaitShims(t, dir)
	}()
	if err := importBase(dirs); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "minictr")); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), append(dirs.Env(), "MINICTR_SHIM="+buildShim(t), "PATH="+dir+":"+os.Getenv("PATH"))...)
	ran := 0
	for _, line := range strings.Split(string(text), "\n") {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok || strings.Contains(command, " -it ") {
			continue
		}
		command, _, _ = strings.Cut(command, "  #")
		ran++
		if out, err := runReadme(t, env, command); err != nil {
			t.Errorf("$ %s\n%s%v", command, out, err)
		}
	}
	if ran < 5 {
		t.Errorf("only %d commands found", ran)
	}
}

// runReadme runs one command with its output in a file, which nothing that it
// leaves running can hold us up with.
func runReadme(t *testing.T, env []string, command string) (string, error) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command("sh", "-c", command)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, out, out
	if err := cmd.Start(); err != nil {
		return "", err
	}
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err = cmd.Wait()
	b, _ := os.ReadFile(out.Name())
	return string(b), err
}
