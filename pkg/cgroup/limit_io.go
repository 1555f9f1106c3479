package cgroup

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// blockIO translates weights and throttles of block devices.
func (l *lister) blockIO(b *specs.LinuxBlockIO) {
	if b.Weight == nil && b.LeafWeight == nil && len(b.WeightDevice) == 0 && len(throttles(b)) == 0 {
		return
	}
	if !l.h.Has("blkio") {
		l.fail(ErrNoController{Name: "blkio", For: "blockIO"})
		return
	}
	v2 := l.h.Unifies("io")
	if b.Weight != nil && *b.Weight != 0 {
		l.ioWeight(v2, "", *b.Weight)
	}
	if b.LeafWeight != nil && *b.LeafWeight != 0 {
		l.leafWeight(v2, "")
	}
	for _, d := range b.WeightDevice {
		if d.Weight != nil {
			l.ioWeight(v2, devno(d.Major, d.Minor), *d.Weight)
		}
		if d.LeafWeight != nil {
			l.leafWeight(v2, "Device")
		}
	}
	for _, t := range throttles(b) {
		switch {
		case v2 && t.rate == 0:
			l.add("io", "io.max", t.device+" "+t.key+"=max")
		case v2:
			l.add("io", "io.max", t.device+" "+t.key+"="+strconv.FormatUint(t.rate, 10))
		default: // 0 is "no limit" there
			l.add("blkio", "blkio.throttle."+t.file, t.device+" "+strconv.FormatUint(t.rate, 10))
		}
	}
}

// ioWeight is a share of the disk's time, 10 to 1000, of a device or of all.
// Who holds the file depends on the disk's scheduler: bfq has its own, and
// takes the number as it is; else cgroup2's iocost takes 1 to 10000. Old
// kernels with cfq had blkio.weight.
func (l *lister) ioWeight(v2 bool, device string, weight uint16) {
	if weight < 10 || weight > 1000 {
		l.fail(fmt.Errorf("blockIO.weight: %d is not in 10..1000", weight))
		return
	}
	w := strconv.Itoa(int(weight))
	if v2 {
		wide := strconv.Itoa(1 + (int(weight)-10)*9999/990)
		l.either("io", setting{file: "io.bfq.weight", value: join(device, w)}, setting{file: "io.weight", value: join(orDefault(device), wide)})
		return
	}
	suffix := ""
	if device != "" {
		suffix = "_device"
	}
	l.either("blkio", setting{file: "blkio.bfq.weight" + suffix, value: join(device, w)}, setting{file: "blkio.weight" + suffix, value: join(device, w)})
}

func orDefault(device string) string {
	if device == "" {
		return "default"
	}
	return device
}

func join(device, value string) string {
	if device == "" {
		return value
	}
	return device + " " + value
}

// either writes the first file, or the second where the first is missing.
func (l *lister) either(controller string, first, second setting) {
	first.controller, second.controller = controller, controller
	first.optional, first.instead = true, &second
	l.list = append(l.list, first)
}

// leafWeight went with the cfq scheduler in Linux 5.0.
func (l *lister) leafWeight(v2 bool, suffix string) {
	if v2 {
		l.onlyV1("blockIO.leafWeight"+suffix, "a cgroup with children has no processes of its own")
		return
	}
	l.fail(ErrNoSetting{Name: "blockIO.leafWeight" + suffix, Why: "the disk scheduler that knew it (cfq) left the kernel in Linux 5.0"})
}

// throttle is one limit of one device: v1's file, or cgroup2's key in io.max.
type throttle struct {
	device, file, key string
	rate              uint64
}

func throttles(b *specs.LinuxBlockIO) []throttle {
	var all []throttle
	for _, t := range []struct {
		devices   []specs.LinuxThrottleDevice
		file, key string
	}{
		{b.ThrottleReadBpsDevice, "read_bps_device", "rbps"},
		{b.ThrottleWriteBpsDevice, "write_bps_device", "wbps"},
		{b.ThrottleReadIOPSDevice, "read_iops_device", "riops"},
		{b.ThrottleWriteIOPSDevice, "write_iops_device", "wiops"},
	} {
		for _, d := range t.devices {
			all = append(all, throttle{devno(d.Major, d.Minor), t.file, t.key, d.Rate})
		}
	}
	return all
}

func devno(major, minor int64) string { return decimal(major) + ":" + decimal(minor) }
