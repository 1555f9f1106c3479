package shim_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pss is a process's share of memory in KiB, its own pages and its part of
// those it shares, and the kernel's words on it.
func pss(t *testing.T, pid int) (kib int, rollup string) {
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
			return n, string(b)
		}
	}
	t.Fatalf("no Pss in %s", b)
	return 0, ""
}

func withCgo() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "1"})
}

// The shim here is the test's own program, which is larger than minictr-shim:
// what is true for it is true for that.
func TestAnIdleShimIsSmall(t *testing.T) {
	b := newBox(t, "sleep 0.1; yes $(printf %099d 0) | head -c 20000000; echo the end; exec sleep 1000")
	o, _, _ := b.options()
	s := b.start(o)
	shim := b.state().ShimPid
	limit := 4096
	if withCgo() {
		limit = 32768 // the C library, or the race detector; minictr-shim has neither
	}
	waitFor(t, func() bool { return strings.Contains(b.lastLogged(), "the end") })
	kib, rollup := pss(t, shim)
	for end := time.Now().Add(10 * time.Second); kib > limit && time.Now().Before(end); kib, rollup = pss(t, shim) {
		time.Sleep(100 * time.Millisecond) // it gives its memory back a moment after the last output
	}
	if kib > limit {
		t.Errorf("an idle shim takes %d KiB, want less than %d:\n%s", kib, limit, rollup)
	}
	t.Logf("%d KiB", kib)
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", shim))
	if err != nil || len(threads) > 10 {
		t.Errorf("%d threads, %v", len(threads), err)
	}
	t.Logf("%d threads", len(threads))
	_ = s.Signal(syscall.SIGKILL)
	b.wait(s)
}
