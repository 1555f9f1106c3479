package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waiting is a program that ends with 7 on SIGTERM, and with 8 by itself.
const waiting = `trap 'exit 7' TERM; echo ready; i=0; while [ $i -lt % ]; do sleep 0.05; i=$((i+1)); done; exit 8`

// foreground starts run and returns without waiting for it.
func (b *bench) foreground() (cmd *exec.Cmd, output string) {
	b.Helper()
	f, err := os.CreateTemp(b.dir, "output")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	cmd = exec.Command(binary(b), "--root", b.root, "run", b.id)
	cmd.Dir = b.bundle
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, f.Name()
}

func TestASignalToRunGoesToTheContainer(t *testing.T) {
	b := newBench(t)
	b.program("sh", "-c", strings.ReplaceAll(waiting, "%", "400"))
	b.save()
	cmd, output := b.foreground()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		said, err := os.ReadFile(output)
		if bytes.Contains(said, []byte("ready")) {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the program does not run: %q %v", said, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
}

// Whenever the signal comes: either nothing has been made yet, or it is kept for
// the container. A container that is left half made would be found by newBench.
func TestASignalDuringTheStartLeavesNothingHalfMade(t *testing.T) {
	b := newBench(t)
	b.program("sh", "-c", strings.ReplaceAll(waiting, "%", "4"))
	b.save()
	for delay := range 16 {
		cmd, _ := b.foreground()
		time.Sleep(time.Duration(delay) * 500 * time.Microsecond)
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if code := cmd.ProcessState.ExitCode(); !ok || !status.Signaled() && code != 7 && code != 8 {
			t.Errorf("after %d half milliseconds: %v", delay, cmd.ProcessState)
		}
		if left := b.containers(); len(left) > 0 {
			t.Fatalf("after %d half milliseconds %v is left", delay, left)
		}
	}
}
