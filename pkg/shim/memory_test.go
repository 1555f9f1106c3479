package shim_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// pss is a process's share of memory in KiB: its own pages, and its part of
// those it shares.
func pss(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == "Pss:" {
			n, err := strconv.Atoi(string(f[1]))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s", b[bytes.IndexByte(b, '\n')+1:])
			return n
		}
	}
	t.Fatalf("no Pss in %s", b)
	return 0
}

// The shim here is the test's own program, which is larger than minictr-shim:
// what is true for it is true for that.
func TestAnIdleShimIsSmall(t *testing.T) {
	if p := os.Getenv("MINICTR_SHIM"); p != "" {
		defer func(old string) { shimPath = old }(shimPath)
		shimPath = p
	}
	b := newBox(t, "sleep 0.1; yes | head -c 20000000; exec sleep 1000")
	o, _, _ := b.options()
	s := b.start(o)
	shim := b.state().ShimPid
	time.Sleep(2500 * time.Millisecond)
	if kib := pss(t, shim); kib > 4096 {
		t.Errorf("an idle shim takes %d KiB, want less than 4 MiB", kib)
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", shim))
	if err != nil || len(threads) > 10 {
		t.Errorf("%d threads, %v", len(threads), err)
	}
	t.Logf("%d threads", len(threads))
	if f := os.Getenv("SMAPS"); f != "" {
		m, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", shim))
		os.WriteFile(f, m, 0o644)
	}
	_ = s.Signal(syscall.SIGKILL)
	b.wait(s)
}
