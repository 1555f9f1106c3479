package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
)

// Usage is what a container uses at one moment, or has used since it was
// started. All is zero for one that does not run.
type Usage struct {
	cgroup.Stats
	Received, Sent uint64 // bytes, over all of its interfaces but the loopback
}

// Usage reads a container's cgroups and the counters of its interfaces.
func (e *Engine) Usage(c *Container) (Usage, error) {
	now := Usage{Stats: cgroup.Stats{Read: time.Now()}}
	if !c.Running() {
		return now, nil
	}
	group, err := e.group(c)
	if err == nil {
		now.Stats, err = group.Stats()
	}
	if errors.Is(err, fs.ErrNotExist) { // it has ended just now
		return Usage{Stats: cgroup.Stats{Read: time.Now()}}, nil
	}
	if err != nil {
		return now, err
	}
	if now.Memory.Limit == 0 {
		now.Memory.Limit = machineMemory()
	}
	if c.Config.Mode != "host" { // else the counters are the machine's
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", c.State.Pid))
		if err == nil {
			now.Received, now.Sent = interfaceBytes(text)
		}
	}
	return now, nil
}

func machineMemory() uint64 {
	var s unix.Sysinfo_t
	if unix.Sysinfo(&s) != nil {
		return 0
	}
	return uint64(s.Totalram) * uint64(s.Unit)
}

// interfaceBytes reads /proc/net/dev (proc_pid_net(5)): two lines of titles,
// then "eth0: bytes packets … bytes packets …", received first.
func interfaceBytes(text []byte) (received, sent uint64) {
	for line := range bytes.Lines(text) {
		name, counters, ok := strings.Cut(string(line), ":")
		f := strings.Fields(counters)
		if !ok || len(f) < 16 || strings.TrimSpace(name) == "lo" {
			continue
		}
		r, _ := strconv.ParseUint(f[0], 10, 64)
		s, _ := strconv.ParseUint(f[8], 10, 64)
		received, sent = received+r, sent+s
	}
	return received, sent
}

// CPUPercent is the processor time used since an earlier look, 100 for each
// processor that was busy all the time.
func (u Usage) CPUPercent(before Usage) float64 {
	wall := u.Read.Sub(before.Read)
	if wall <= 0 || u.CPU.Usage < before.CPU.Usage || before.CPU.Usage == 0 {
		return 0
	}
	return float64(u.CPU.Usage-before.CPU.Usage) / float64(wall) * 100
}

// MemoryPercent is the share of its limit, or of the machine, in use.
func (u Usage) MemoryPercent() float64 {
	if u.Memory.Limit == 0 {
		return 0
	}
	return float64(u.Memory.Working()) / float64(u.Memory.Limit) * 100
}

// Transferred are the bytes read from and written to block devices.
func (u Usage) Transferred() (read, written uint64) {
	for _, d := range u.IO {
		read, written = read+d.ReadBytes, written+d.WriteBytes
	}
	return read, written
}
