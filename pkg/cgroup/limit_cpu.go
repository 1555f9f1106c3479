package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"

	"minictr/pkg/kernel"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// cpu translates shares, quota and the rest. All zeros mean: say nothing.
func (l *lister) cpu(c *specs.LinuxCPU) {
	shares, period, burst := uvalue(c.Shares), uvalue(c.Period), uvalue(c.Burst)
	quota, idle := value(c.Quota), value(c.Idle)
	realtime := value(c.RealtimeRuntime) != 0 || uvalue(c.RealtimePeriod) != 0
	if shares == 0 && period == 0 && c.Burst == nil && quota == 0 && c.Idle == nil && !realtime {
		return
	}
	v2, ok := l.world("cpu", "cpu")
	switch {
	case !ok:
		return
	case v2 && realtime:
		l.onlyV1("cpu.realtimeRuntime", "real-time groups cannot be limited")
	case realtime:
		l.realtime(c)
	}
	if c.Idle != nil { // before the weight, which an idle group has none of
		l.add("cpu", "cpu.idle", decimal(idle))
	}
	if shares != 0 && idle == 0 {
		if v2 {
			l.add("cpu", "cpu.weight", strconv.FormatUint(Weight(shares), 10))
		} else {
			l.add("cpu", "cpu.shares", strconv.FormatUint(shares, 10))
		}
	}
	l.bandwidth(v2, quota, period)
	if c.Burst != nil { // after the quota, which it may not exceed
		file := "cpu.cfs_burst_us"
		if v2 {
			file = "cpu.max.burst"
		}
		// A kernel without it saves nothing up.
		l.list = append(l.list, setting{controller: "cpu", file: file, value: strconv.FormatUint(burst, 10), optional: burst == 0})
	}
}

// defaultPeriod is the kernel's, in microseconds.
const defaultPeriod = 100000

// bandwidth: quota microseconds of processor time in each period. A negative
// quota is no limit.
func (l *lister) bandwidth(v2 bool, quota int64, period uint64) {
	switch {
	case quota == 0 && period == 0:
	case v2:
		limit := "max"
		if quota > 0 {
			limit = decimal(quota)
		}
		if period == 0 {
			period = defaultPeriod
		}
		l.add("cpu", "cpu.max", limit+" "+strconv.FormatUint(period, 10))
	default:
		if period != 0 {
			l.add("cpu", "cpu.cfs_period_us", strconv.FormatUint(period, 10))
		}
		if quota != 0 {
			l.add("cpu", "cpu.cfs_quota_us", decimal(quota))
		}
	}
}

func (l *lister) realtime(c *specs.LinuxCPU) {
	if p := uvalue(c.RealtimePeriod); p != 0 {
		l.add("cpu", "cpu.rt_period_us", strconv.FormatUint(p, 10))
	}
	if r := value(c.RealtimeRuntime); r != 0 {
		l.add("cpu", "cpu.rt_runtime_us", decimal(r))
	}
}

// Weight turns v1's cpu.shares (2 to 262144, usually 1024) into cgroup2's
// cpu.weight (1 to 10000, usually 100).
//
// A straight line from range to range, which runtimes used until 2025, maps
// the usual 1024 to 39 and so puts containers behind everybody else. The curve
// 10^((x²+125x)/612 - 7/34) with x = log2(shares) goes through all three pairs;
// it is what runc (since 1.3.2) and crun (since 1.23) use:
// opencontainers/cgroups, pull request 20, and kubernetes issue 131216.
func Weight(shares uint64) uint64 {
	switch {
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	x := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (x*x+125*x)/612-7.0/34)))
}

// cpuset is a set of processors and one of memory nodes, as the kernel lists
// them ("0-3,7").
type cpuset struct{ cpus, mems string }

func wantsCpuset(r *specs.LinuxResources) bool {
	return r != nil && r.CPU != nil && (r.CPU.Cpus != "" || r.CPU.Mems != "")
}

// cpuset: on v1 a new cgroup has no processors and no memory, and refuses
// processes until it has both, so both are written if one is wanted.
func (l *lister) cpuset(c *specs.LinuxCPU, from cpuset) {
	if c.Cpus == "" && c.Mems == "" {
		return
	}
	v2, ok := l.world("cpuset", "cpu.cpus")
	if !ok {
		return
	}
	cpus, mems := c.Cpus, c.Mems
	if !v2 {
		if cpus == "" {
			cpus = from.cpus
		}
		if mems == "" {
			mems = from.mems
		}
	}
	if cpus != "" {
		l.add("cpuset", "cpuset.cpus", cpus)
	}
	if mems != "" {
		l.add("cpuset", "cpuset.mems", mems)
	}
}

// inherited reads the cpuset of the nearest cgroup that exists above cgroup p
// of the v1 hierarchy at point.
func inherited(point, p string) (cpuset, error) {
	for {
		p = path.Dir(p)
		cpus, err := readFile(point + path.Join(p, "cpuset.cpus"))
		if errors.Is(err, fs.ErrNotExist) && p != "/" {
			continue
		}
		mems, e := readFile(point + path.Join(p, "cpuset.mems"))
		if err = errors.Join(err, e); err != nil {
			return cpuset{}, fmt.Errorf("read the parent's cpuset: %w", err)
		}
		return cpuset{cpus, mems}, nil
	}
}

// fill gives a parent that we have just made (and only then) what its own
// parent has.
func (c cpuset) fill(dir string, made kernel.Slot) []kernel.Call {
	calls := append(kernel.WriteFile(dir+"/cpuset.cpus", c.cpus), kernel.WriteFile(dir+"/cpuset.mems", c.mems)...)
	for i := range calls {
		calls[i] = calls[i].IfOK(made)
	}
	return calls
}

func uvalue(p *uint64) uint64 {
	if p == nil {
		return 0
	}
	return *p
}
