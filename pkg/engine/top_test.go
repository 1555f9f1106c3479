package engine

import (
	"slices"
	"testing"
	"time"
)

func TestOfPSTheContainersRowsAreKept(t *testing.T) {
	out := "  PID TTY  CMD\n    1 ?    init\n   20 ?    sh -c  a b\n    - ?    thread\n   21 ?    other\n    - ?    its thread\n"
	p, err := parsePS(out, []int{20})
	if err != nil || !slices.Equal(p.Titles, []string{"PID", "TTY", "CMD"}) || len(p.Processes) != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	if !slices.Equal(p.Processes[0], []string{"20", "?", "sh -c a b"}) || p.Processes[1][2] != "thread" {
		t.Errorf("%q", p.Processes)
	}
	if _, err := parsePS("USER CMD\nroot x\n", nil); err == nil {
		t.Error("accepted a list without pids")
	}
}

func TestTimesAndTerminalsLookAsInPS(t *testing.T) {
	now := time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC)
	for want, started := range map[string]time.Time{
		"14:59": now.Add(-time.Minute), "Mar03": now.Add(-20 * time.Hour), "Jan02": now.AddDate(0, -2, -2), "2025": now.AddDate(-1, 0, 0),
	} {
		if got := startText(started, now); got != want {
			t.Errorf("%s: got %s, want %s", started, got, want)
		}
	}
	for device, want := range map[int64]string{0: "?", 136 << 8: "pts/0", 136<<8 + 7: "pts/7", 4<<8 + 1: "tty1"} {
		if got := terminalName(device); got != want {
			t.Errorf("%d: got %s, want %s", device, got, want)
		}
	}
	if got := clockText(3*time.Hour + 2*time.Minute + time.Second); got != "03:02:01" {
		t.Error(got)
	}
}

func TestInterfacesAreAddedUpWithoutTheLoopback(t *testing.T) {
	text := "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets\n" +
		"    lo:     999       1    0    0    0     0          0         0      999       1    0    0    0     0       0          0\n" +
		"  eth0:    1000      10    0    0    0     0          0         0     2000       1    0    0    0     0       0          0\n" +
		"  eth1:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0\n"
	if r, s := interfaceBytes([]byte(text)); r != 1001 || s != 2002 {
		t.Errorf("received %d, sent %d", r, s)
	}
}

func TestPercentagesAreOfOneProcessor(t *testing.T) {
	var a, b Usage
	a.Read = time.Now()
	b.Read = a.Read.Add(2 * time.Second)
	a.CPU.Usage, b.CPU.Usage = time.Second, 4*time.Second
	if got := b.CPUPercent(a); got != 150 {
		t.Error(got)
	}
	if got := a.CPUPercent(b); got != 0 {
		t.Error("backwards:", got)
	}
	b.Memory.Usage, b.Memory.InactiveFile, b.Memory.Limit = 60, 10, 200
	if got := b.MemoryPercent(); got != 25 {
		t.Error(got)
	}
}
