package calm

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestTheMonitorsTimerMayBeLate(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("another thread's timer slack needs root")
	}
	monitor := os.Getpid() + 1
	if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", monitor)); err != nil {
		t.Skip("another process was started just when this one was")
	}
	for tid, want := range map[int]bool{monitor: true, os.Getpid(): false} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", tid))
		if err != nil || (strings.TrimSpace(string(b)) == slack) != want {
			t.Errorf("thread %d: %q, %v; want it late: %v", tid, b, err, want)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, n := range []int{0, 7, 10, 4194303} {
		if decimal(n) != fmt.Sprint(n) {
			t.Errorf("%d: %q", n, decimal(n))
		}
	}
}
