package cgroup

import (
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Fit leaves out what this machine cannot limit, and says so in a sentence for
// each: docker starts the container all the same and warns. r is not changed.
//
// Wrong values, and files that the user names himself (unified), are not its
// business; those stay errors.
func (h Hierarchy) Fit(r *specs.LinuxResources) (*specs.LinuxResources, []string) {
	if r == nil {
		return nil, nil
	}
	fitted := *r
	f := &fitter{h: h}
	fitted.Memory = f.memory(r.Memory)
	fitted.CPU = f.cpu(r.CPU)
	if r.Pids != nil && !f.has("pids", "the number of processes", value(r.Pids.Limit) > 0) {
		fitted.Pids = nil
	}
	fitted.BlockIO = f.blockIO(r.BlockIO)
	if !f.has("hugetlb", "huge pages", len(r.HugepageLimits) > 0) {
		fitted.HugepageLimits = nil
	}
	if !f.has("rdma", "rdma", len(r.Rdma) > 0) {
		fitted.Rdma = nil
	}
	if r.Network != nil && (h.V1["net_cls"] == "" || h.V1["net_prio"] == "") {
		fitted.Network = nil
		f.warn("packets are not marked with a class or priority: no net_cls or net_prio controller here")
	}
	return &fitted, f.warnings
}

type fitter struct {
	h        Hierarchy
	warnings []string
}

func (f *fitter) warn(text string) { f.warnings = append(f.warnings, text) }

// has reports whether a controller is there, and warns if it is missed.
func (f *fitter) has(controller, what string, wanted bool) bool {
	if f.h.Has(controller) {
		return true
	}
	if wanted {
		f.warn(what + " cannot be limited: no " + controller + " controller here; the limit is left out")
	}
	return false
}

func (f *fitter) memory(m *specs.LinuxMemory) *specs.LinuxMemory {
	if m == nil {
		return nil
	}
	set := value(m.Limit) != 0 || value(m.Swap) != 0 || value(m.Reservation) != 0 || m.Swappiness != nil || isTrue(m.DisableOOMKiller)
	if !f.has("memory", "memory", set) {
		return nil
	}
	fitted := *m
	if value(m.Swap) != 0 && !f.h.swapAccounting() {
		fitted.Swap = nil
		if value(m.Swap) > 0 {
			f.warn("swap cannot be limited: the kernel does not count it (boot with swapaccount=1); memory is limited without it")
		}
	}
	if f.h.Unifies("memory") {
		if m.Swappiness != nil {
			fitted.Swappiness = nil
			f.warn("swappiness is left out: cgroup v2 has none")
		}
		if isTrue(m.DisableOOMKiller) {
			f.warn("the kernel will kill over the memory limit all the same: cgroup v2 cannot switch that off")
		}
		fitted.DisableOOMKiller, fitted.KernelTCP = nil, nil
	}
	return &fitted
}

func (f *fitter) cpu(c *specs.LinuxCPU) *specs.LinuxCPU {
	if c == nil {
		return nil
	}
	fitted := *c
	set := uvalue(c.Shares) != 0 || uvalue(c.Period) != 0 || value(c.Quota) != 0 || uvalue(c.Burst) != 0 || value(c.Idle) != 0
	if !f.has("cpu", "processor time", set) {
		fitted = specs.LinuxCPU{Cpus: c.Cpus, Mems: c.Mems}
	}
	if !f.has("cpuset", "the choice of processors", c.Cpus != "" || c.Mems != "") {
		fitted.Cpus, fitted.Mems = "", ""
	}
	if f.h.Unifies("cpu") && (value(c.RealtimeRuntime) != 0 || uvalue(c.RealtimePeriod) != 0) {
		fitted.RealtimeRuntime, fitted.RealtimePeriod = nil, nil
		f.warn("real-time processor time is left out: cgroup v2 does not limit it")
	}
	return &fitted
}

func (f *fitter) blockIO(b *specs.LinuxBlockIO) *specs.LinuxBlockIO {
	if b == nil || !f.has("blkio", "disk i/o", b.Weight != nil || len(b.WeightDevice) > 0 || len(throttles(b)) > 0) {
		return nil
	}
	fitted := *b
	known, weights := f.h.ioWeights()
	if known && !weights && (b.Weight != nil || len(b.WeightDevice) > 0) {
		fitted.Weight, fitted.WeightDevice = nil, nil
		f.warn("weights of disk i/o are left out: the kernel has neither bfq nor iocost weights")
	}
	return &fitted
}

// swapAccounting reports whether the kernel counts swap by cgroup. On v2 only
// a cgroup below the root shows it; where there is none yet, it is assumed: the
// kernel does so unless it is told not to, and Limit does without the file.
func (h Hierarchy) swapAccounting() bool {
	if h.Unifies("memory") {
		dir, ok := h.example(h.Unified, "memory.max")
		return !ok || exists(dir+"/memory.swap.max")
	}
	return exists(h.V1["memory"] + "/memory.memsw.limit_in_bytes")
}

// ioWeights reports whether a cgroup has a file for weights, if that is known.
func (h Hierarchy) ioWeights() (known, weights bool) {
	if h.Unifies("io") {
		dir, ok := h.example(h.Unified, "io.max")
		return ok, exists(dir+"/io.bfq.weight") || exists(dir+"/io.weight")
	}
	dir, ok := h.example(h.V1["blkio"], "blkio.throttle.read_bps_device")
	return ok, exists(dir+"/blkio.bfq.weight") || exists(dir+"/blkio.weight")
}

// example finds a cgroup right below root that has a file.
func (h Hierarchy) example(root, file string) (string, bool) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return "", false
	}
	for _, e := range entries {
		if dir := filepath.Join(root, e.Name()); e.IsDir() && exists(dir+"/"+file) {
			return dir, true
		}
	}
	return "", false
}

func exists(path string) bool { _, err := os.Lstat(path); return err == nil }
