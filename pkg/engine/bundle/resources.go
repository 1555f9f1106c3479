package bundle

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/engine/config"
)

// defaultPeriod is the length of a scheduling period in microseconds, the
// kernel's own default.
const defaultPeriod = 100_000

// Resources are the cgroup's limits. What is not asked for stays nil: the
// kernel's default is no limit.
func Resources(in Input) *specs.LinuxResources {
	return &specs.LinuxResources{
		Devices: in.DeviceRules,
		Memory:  memory(in),
		CPU:     cpu(in),
		Pids:    pids(in),
		BlockIO: blockIO(in),
	}
}

func memory(in Input) *specs.LinuxMemory {
	r := in.Config.Resources
	if r.Memory == 0 && r.MemoryReservation == 0 && r.MemorySwappiness == nil && !r.OOMKillDisable {
		return nil
	}
	m := &specs.LinuxMemory{Swappiness: r.MemorySwappiness}
	if r.OOMKillDisable {
		m.DisableOOMKiller = &r.OOMKillDisable
	}
	if r.MemoryReservation != 0 {
		m.Reservation = &r.MemoryReservation
	}
	if r.Memory == 0 {
		return m
	}
	m.Limit = &r.Memory
	swap := r.MemoryAndSwap()
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
	if r.CPURtPeriod != 0 {
		c.RealtimePeriod = &r.CPURtPeriod
	}
	if r.CPURtRuntime != 0 {
		c.RealtimeRuntime = &r.CPURtRuntime
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

// DeviceNumber is how the kernel names a block device.
type DeviceNumber struct{ Major, Minor int64 }

// blockIO are weights and limits of disks, which the kernel knows by number.
func blockIO(in Input) *specs.LinuxBlockIO {
	r := in.Config.Resources
	b := &specs.LinuxBlockIO{
		ThrottleReadBpsDevice: throttle(in, r.DeviceReadBps), ThrottleWriteBpsDevice: throttle(in, r.DeviceWriteBps),
		ThrottleReadIOPSDevice: throttle(in, r.DeviceReadIOPS), ThrottleWriteIOPSDevice: throttle(in, r.DeviceWriteIOPS),
	}
	if r.BlkioWeight != 0 {
		b.Weight = &r.BlkioWeight
	}
	for _, d := range r.BlkioWeightDevice {
		weight := uint16(d.Rate)
		w := specs.LinuxWeightDevice{Weight: &weight}
		w.Major, w.Minor = in.Numbers[d.Path].Major, in.Numbers[d.Path].Minor
		b.WeightDevice = append(b.WeightDevice, w)
	}
	if b.Weight == nil && len(r.Disks()) == 0 {
		return nil
	}
	return b
}

func throttle(in Input, rates []config.DeviceRate) []specs.LinuxThrottleDevice {
	var list []specs.LinuxThrottleDevice
	for _, d := range rates {
		t := specs.LinuxThrottleDevice{Rate: d.Rate}
		t.Major, t.Minor = in.Numbers[d.Path].Major, in.Numbers[d.Path].Minor
		list = append(list, t)
	}
	return list
}
