package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func (a *app) update(args []string) error {
	f := newFlags("update", "ID")
	file := f.stringBoth("resources", "r", "", "`file` with the new limits as JSON, - for standard input")
	r := &specs.LinuxResources{}
	limitFlags(f, r)
	ids, err := f.all(args, 1, 1)
	if err != nil || f.helped {
		return err
	}
	c, err := a.root.Load(ids[0])
	if err != nil {
		return err
	}
	if *file != "" {
		if r, err = readResources(*file); err != nil {
			return err
		}
	}
	return c.Update(r)
}

func readResources(path string) (*specs.LinuxResources, error) {
	in := io.Reader(os.Stdin)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	r := new(specs.LinuxResources)
	if err := json.NewDecoder(in).Decode(r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// limitFlags defines an option for each limit; those not given leave r alone.
func limitFlags(f *flags, r *specs.LinuxResources) {
	cpu := func() *specs.LinuxCPU {
		if r.CPU == nil {
			r.CPU = &specs.LinuxCPU{}
		}
		return r.CPU
	}
	memory := func() *specs.LinuxMemory {
		if r.Memory == nil {
			r.Memory = &specs.LinuxMemory{}
		}
		return r.Memory
	}
	unsigned := func(name, usage string, set func(uint64)) {
		f.Func(name, usage, func(s string) error {
			v, err := strconv.ParseUint(s, 10, 64)
			set(v)
			return err
		})
	}
	signed := func(name, usage string, set func(int64)) {
		f.Func(name, usage, func(s string) error {
			v, err := strconv.ParseInt(s, 10, 64)
			set(v)
			return err
		})
	}
	bytes := func(name, usage string, set func(int64)) {
		f.Func(name, usage, func(s string) error {
			v := int64(-1)
			var err error
			if strings.TrimSpace(s) != "-1" {
				v, err = units.RAMInBytes(s)
			}
			set(v)
			return err
		})
	}
	unsigned("cpu-share", "relative `weight` of processor time", func(v uint64) { cpu().Shares = &v })
	unsigned("cpu-period", "`microseconds` in which the quota may be used", func(v uint64) { cpu().Period = &v })
	signed("cpu-quota", "`microseconds` of processor time in a period", func(v int64) { cpu().Quota = &v })
	unsigned("cpu-burst", "`microseconds` of quota that may be saved up", func(v uint64) { cpu().Burst = &v })
	signed("cpu-idle", "1: only when nobody else wants the processor", func(v int64) { cpu().Idle = &v })
	unsigned("cpu-rt-period", "real-time period in `microseconds`", func(v uint64) { cpu().RealtimePeriod = &v })
	signed("cpu-rt-runtime", "real-time quota in `microseconds`", func(v int64) { cpu().RealtimeRuntime = &v })
	f.Func("cpuset-cpus", "`list` of processors", func(s string) error { cpu().Cpus = s; return nil })
	f.Func("cpuset-mems", "`list` of memory nodes", func(s string) error { cpu().Mems = s; return nil })
	bytes("memory", "limit in `bytes`", func(v int64) { memory().Limit = &v })
	bytes("memory-reservation", "soft limit in `bytes`", func(v int64) { memory().Reservation = &v })
	bytes("memory-swap", "memory and swap together in `bytes`, -1 for no limit", func(v int64) { memory().Swap = &v })
	signed("pids-limit", "`number` of processes, -1 for no limit", func(v int64) {
		if v == 0 {
			v = 1 // as systemd and runc have it: the container's own
		}
		r.Pids = &specs.LinuxPids{Limit: &v}
	})
	f.Func("blkio-weight", "relative `weight` of disk time, 10 to 1000", func(s string) error {
		v, err := strconv.ParseUint(s, 10, 16)
		weight := uint16(v)
		r.BlockIO = &specs.LinuxBlockIO{Weight: &weight}
		return err
	})
	for _, name := range []string{"kernel-memory", "kernel-memory-tcp"} {
		f.Func(name, "ignored: no kernel has this limit any more", func(string) error { return nil })
	}
	for _, name := range []string{"l3-cache-schema", "mem-bw-schema"} {
		f.Func(name, "not supported (Intel RDT)", func(string) error { return fmt.Errorf("%s: %w", name, errNoRDT) })
	}
}

var errNoRDT = errors.New("this runtime does not use Intel RDT")
