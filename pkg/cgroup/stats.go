package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Stats is what a group uses, counted since it was made. What the machine does
// not count stays zero; a limit of zero is none.
type Stats struct {
	Read   time.Time
	CPU    CPUStats
	Memory MemoryStats
	Pids   PidsStats
	IO     []IOStats // a device each
}

// CPUStats are processor times. The last three count periods in which a quota
// was in force, those in which it was used up, and the time lost to that.
type CPUStats struct {
	Usage, User, System time.Duration
	Periods, Throttled  uint64
	ThrottledTime       time.Duration
}

// MemoryStats are bytes. Usage includes cached file pages, of which the kernel
// can drop the inactive ones at any time.
type MemoryStats struct {
	Usage, Limit, Peak  uint64
	Anonymous, Cache    uint64 // memory of programs, pages of files
	InactiveFile        uint64
	Swap, SwapLimit     uint64 // swap alone, in both worlds
	OOMKills, LimitHits uint64 // processes killed; times the limit was met
}

// Working is the usage that docker stats shows: without what the kernel could
// drop at once.
func (m MemoryStats) Working() uint64 {
	if m.InactiveFile > m.Usage {
		return 0
	}
	return m.Usage - m.InactiveFile
}

// PidsStats count processes and threads.
type PidsStats struct{ Current, Limit uint64 }

// IOStats are one block device's transfers, by bytes and by requests.
type IOStats struct {
	Major, Minor          uint32
	ReadBytes, WriteBytes uint64
	Reads, Writes         uint64
}

// Stats reads what the group uses now. Of a group that does not exist it is an
// fs.ErrNotExist.
func (g Group) Stats() (Stats, error) {
	if _, err := os.Stat(g.anchor()); err != nil {
		return Stats{}, fmt.Errorf("read what cgroup %s uses: %w", g.Path, err)
	}
	r := &reader{}
	s := Stats{Read: time.Now(), CPU: g.cpuStats(r), Pids: g.pidsStats(r)}
	if g.Hierarchy.Unifies("memory") {
		s.Memory = memoryV2(r, g.Dir("memory"))
	} else if dir := g.Dir("memory"); dir != "" {
		s.Memory = memoryV1(r, dir)
	}
	if g.Hierarchy.Unifies("io") {
		s.IO = parseIOStat(r.text(g.Dir("io"), "io.stat"))
	} else if dir := g.Dir("blkio"); dir != "" {
		s.IO = parseBlkio(r.text(dir, "blkio.throttle.io_service_bytes_recursive"), r.text(dir, "blkio.throttle.io_serviced_recursive"))
	}
	if r.err != nil {
		return Stats{}, fmt.Errorf("read what cgroup %s uses: %w", g.Path, r.err)
	}
	return s, nil
}

// reader reads files and keeps the first error. A file that is not there is
// none: controllers differ from kernel to kernel.
type reader struct{ err error }

func (r *reader) text(dir, file string) string {
	if dir == "" {
		return ""
	}
	text, err := readFile(dir + "/" + file)
	// EOPNOTSUPP is a file of something that was switched off at boot.
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EOPNOTSUPP) && r.err == nil {
		r.err = err
	}
	return text
}

// number reads a file of one number; "max" is zero, for no limit.
func (r *reader) number(dir, file string) uint64 { return unsigned(r.text(dir, file)) }

func unsigned(s string) uint64 {
	v, _ := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	return v
}

// keys reads a file of "key number" lines.
func (r *reader) keys(dir, file string) map[string]uint64 {
	values := make(map[string]uint64)
	for line := range strings.Lines(r.text(dir, file)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			values[key] = unsigned(value)
		}
	}
	return values
}

// cpuStats takes the times from cgroup2 wherever it is mounted: it counts them
// without a controller.
func (g Group) cpuStats(r *reader) CPUStats {
	var s CPUStats
	if dir := g.Unified(); dir != "" {
		k := r.keys(dir, "cpu.stat")
		s.Usage, s.User, s.System = micro(k["usage_usec"]), micro(k["user_usec"]), micro(k["system_usec"])
		s.Periods, s.Throttled, s.ThrottledTime = k["nr_periods"], k["nr_throttled"], micro(k["throttled_usec"])
	} else if dir := g.Dir("cpuacct"); dir != "" {
		s.Usage = time.Duration(r.number(dir, "cpuacct.usage"))
		s.User, s.System = time.Duration(r.number(dir, "cpuacct.usage_user")), time.Duration(r.number(dir, "cpuacct.usage_sys"))
	}
	if dir := g.Dir("cpu"); dir != "" && !g.Hierarchy.Unifies("cpu") {
		k := r.keys(dir, "cpu.stat")
		s.Periods, s.Throttled, s.ThrottledTime = k["nr_periods"], k["nr_throttled"], time.Duration(k["throttled_time"])
	}
	return s
}

func micro(v uint64) time.Duration { return time.Duration(v) * time.Microsecond }

func (g Group) pidsStats(r *reader) PidsStats {
	dir := g.Dir("pids")
	return PidsStats{r.number(dir, "pids.current"), r.number(dir, "pids.max")}
}

func memoryV2(r *reader, dir string) MemoryStats {
	stat, events := r.keys(dir, "memory.stat"), r.keys(dir, "memory.events")
	return MemoryStats{
		Usage: r.number(dir, "memory.current"), Limit: r.number(dir, "memory.max"), Peak: r.number(dir, "memory.peak"),
		Anonymous: stat["anon"], Cache: stat["file"], InactiveFile: stat["inactive_file"],
		Swap: r.number(dir, "memory.swap.current"), SwapLimit: r.number(dir, "memory.swap.max"),
		OOMKills: events["oom_kill"], LimitHits: events["max"],
	}
}

func memoryV1(r *reader, dir string) MemoryStats {
	stat := r.keys(dir, "memory.stat")
	m := MemoryStats{
		Usage: r.number(dir, "memory.usage_in_bytes"), Limit: limitV1(r.number(dir, "memory.limit_in_bytes")),
		Peak:      r.number(dir, "memory.max_usage_in_bytes"),
		Anonymous: stat["total_rss"], Cache: stat["total_cache"], InactiveFile: stat["total_inactive_file"],
		Swap:     stat["total_swap"],
		OOMKills: r.keys(dir, "memory.oom_control")["oom_kill"], LimitHits: r.number(dir, "memory.failcnt"),
	}
	if both := limitV1(r.number(dir, "memory.memsw.limit_in_bytes")); both > m.Limit && m.Limit != 0 {
		m.SwapLimit = both - m.Limit
	}
	return m
}

// limitV1: v1 says "no limit" with the largest number of whole pages.
func limitV1(v uint64) uint64 {
	if v > 1<<62 {
		return 0
	}
	return v
}

// parseIOStat reads cgroup2's io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …".
func parseIOStat(text string) []IOStats {
	var list []IOStats
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		s, ok := ioDevice(f[0])
		if !ok {
			continue
		}
		for _, pair := range f[1:] {
			key, value, _ := strings.Cut(pair, "=")
			s.add(key, unsigned(value))
		}
		list = append(list, s)
	}
	return list
}

// parseBlkio reads two files of v1, bytes and requests: "8:0 Read 4096".
func parseBlkio(bytes, requests string) []IOStats {
	var list []IOStats
	for _, file := range []struct{ text, read, write string }{{bytes, "rbytes", "wbytes"}, {requests, "rios", "wios"}} {
		for line := range strings.Lines(file.text) {
			f := strings.Fields(line)
			if len(f) != 3 {
				continue // "Total 4096"
			}
			s, ok := ioDevice(f[0])
			key := map[string]string{"Read": file.read, "Write": file.write}[f[1]]
			if !ok || key == "" {
				continue
			}
			at := -1
			for i := range list {
				if list[i].Major == s.Major && list[i].Minor == s.Minor {
					at = i
				}
			}
			if at < 0 {
				list, at = append(list, s), len(list)
			}
			list[at].add(key, unsigned(f[2]))
		}
	}
	return list
}

func (s *IOStats) add(key string, v uint64) {
	switch key {
	case "rbytes":
		s.ReadBytes += v
	case "wbytes":
		s.WriteBytes += v
	case "rios":
		s.Reads += v
	case "wios":
		s.Writes += v
	}
}

func ioDevice(text string) (IOStats, bool) {
	major, minor, ok := strings.Cut(text, ":")
	ma, err1 := strconv.ParseUint(major, 10, 32)
	mi, err2 := strconv.ParseUint(minor, 10, 32)
	return IOStats{Major: uint32(ma), Minor: uint32(mi)}, ok && err1 == nil && err2 == nil
}
