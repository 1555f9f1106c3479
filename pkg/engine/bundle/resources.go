package bundle

import specs "github.com/opencontainers/runtime-spec/specs-go"

// defaultPeriod is the length of a scheduling period in microseconds, the
// kernel's own default.
const defaultPeriod = 100_000

// resources are the cgroup's limits. What is not asked for stays nil: the
// kernel's default is no limit.
func resources(in Input) *specs.LinuxResources {
	return &specs.LinuxResources{
		Devices: in.DeviceRules,
		Memory:  memory(in),
		CPU:     cpu(in),
		Pids:    pids(in),
	}
}

func memory(in Input) *specs.LinuxMemory {
	r := in.Config.Resources
	if r.Memory == 0 && r.MemoryReservation == 0 {
		return nil
	}
	m := &specs.LinuxMemory{}
	if r.MemoryReservation != 0 {
		m.Reservation = &r.MemoryReservation
	}
	if r.Memory == 0 {
		return m
	}
	m.Limit = &r.Memory
	swap := r.MemorySwap
	if swap == 0 { // docker's default: as much swap as memory
		swap = 2 * r.Memory
	}
	m.Swap = &swap
	return m
}

func cpu(in Input) *specs.LinuxCPU {
	r := in.Config.Resources
	c := &specs.LinuxCPU{Cpus: r.CpusetCpus, Mems: r.CpusetMems}
	if r.CPUShares != 0 {
		c.Shares = &r.CPUShares
	}
	quota, period := r.CPUQuota, r.CPUPeriod
	if r.NanoCPUs != 0 {
		period = defaultPeriod
		quota = r.NanoCPUs * defaultPeriod / 1e9
	}
	if quota != 0 {
		c.Quota = &quota
	}
	if period != 0 {
		c.Period = &period
	}
	if *c == (specs.LinuxCPU{}) {
		return nil
	}
	return c
}

func pids(in Input) *specs.LinuxPids {
	limit := in.Config.PidsLimit
	if limit == 0 {
		return nil
	}
	return &specs.LinuxPids{Limit: &limit}
}
