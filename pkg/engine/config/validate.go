package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"minictr/pkg/record"
)

func validAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

const (
	minMemory = 6 << 20 // bytes; less and the kernel kills the container's first process
	mega      = 1 << 20
)

// Validate finds what is wrong with a wish by itself, before anything is made.
func (c *Config) Validate() error {
	if c.Image == "" {
		return errors.New("an image is needed")
	}
	if c.Name != "" {
		if err := record.CheckName(c.Name); err != nil {
			return err
		}
	}
	if c.WorkingDir != "" && !filepath.IsAbs(c.WorkingDir) {
		return fmt.Errorf("the working directory must be an absolute path, not %q", c.WorkingDir)
	}
	if c.StopSignal != "" {
		if _, err := ParseSignal(c.StopSignal); err != nil {
			return err
		}
	}
	return first(c.Resources.validate, c.validateNetwork, c.validateNamespaces, c.validateUserNS, c.validateMounts, c.validateRestart,
		c.validateHealth, c.validateSecrets, c.Log.Check)
}

func first(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// MemoryAndSwap is the limit of both together: by default there is as much swap as
// memory, as docker has it.
func (r *Resources) MemoryAndSwap() int64 {
	if r.MemorySwap == 0 {
		return 2 * r.Memory
	}
	return r.MemorySwap
}

func (r *Resources) validate() error {
	switch {
	case r.Memory != 0 && r.Memory < minMemory:
		return fmt.Errorf("a memory limit must be at least %dm", minMemory/mega)
	case r.MemorySwap > 0 && r.Memory == 0:
		return errors.New("--memory-swap is memory and swap together: it needs --memory too")
	case r.MemorySwap > 0 && r.MemorySwap < r.Memory:
		return errors.New("--memory-swap is memory and swap together: it cannot be less than --memory")
	case r.MemoryReservation != 0 && r.MemoryReservation < minMemory:
		return fmt.Errorf("a memory reservation must be at least %dm", minMemory/mega)
	case r.Memory != 0 && r.MemoryReservation > r.Memory:
		return errors.New("--memory-reservation cannot be more than --memory")
	case r.NanoCPUs != 0 && (r.CPUQuota != 0 || r.CPUPeriod != 0):
		return errors.New("--cpus is a quota by another name: not together with --cpu-quota or --cpu-period")
	case r.NanoCPUs != 0 && r.NanoCPUs < 1e7:
		return errors.New("--cpus must be at least 0.01")
	case r.CPUPeriod != 0 && (r.CPUPeriod < 1000 || r.CPUPeriod > 1000000):
		return errors.New("--cpu-period must be between 1000 (1 ms) and 1000000 (1 s)")
	case r.CPUQuota > 0 && r.CPUQuota < 1000:
		return errors.New("--cpu-quota must be at least 1000 (1 ms)")
	case r.CPUShares == 1 || r.CPUShares > 262144:
		return errors.New("--cpu-shares must be between 2 and 262144")
	case r.CPURtPeriod != 0 && uint64(max(r.CPURtRuntime, 0)) > r.CPURtPeriod:
		return errors.New("--cpu-rt-runtime cannot be more than --cpu-rt-period")
	case r.MemorySwappiness != nil && *r.MemorySwappiness > 100:
		return errors.New("--memory-swappiness must be between 0 and 100")
	case r.BlkioWeight != 0 && (r.BlkioWeight < 10 || r.BlkioWeight > 1000):
		return errors.New("--blkio-weight must be between 10 and 1000")
	case slices.Contains(strings.Split(r.CgroupParent, "/"), ".."):
		return errors.New("--cgroup-parent must not hold \"..\"")
	case r.PidsLimit < -1:
		return errors.New("--pids-limit must be a number of processes, or -1 for no limit")
	case r.OOMScoreAdj < -1000 || r.OOMScoreAdj > 1000:
		return errors.New("--oom-score-adj must be between -1000 and 1000")
	}
	return first(
		func() error { return checkList("--cpuset-cpus", r.CpusetCpus) },
		func() error { return checkList("--cpuset-mems", r.CpusetMems) },
	)
}

// checkList checks a list such as 0-2,4.
func checkList(flag, s string) error {
	if s == "" {
		return nil
	}
	for part := range strings.SplitSeq(s, ",") {
		a, b, two := strings.Cut(part, "-")
		if !two {
			b = a
		}
		if !isNumber(a) || !isNumber(b) {
			return fmt.Errorf("%s must be a list such as 0-2,4, not %q", flag, s)
		}
	}
	return nil
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == "" && len(s) < 6
}

func (c *Config) validateNetwork() error {
	if c.Hostname != "" {
		if err := CheckHostname(c.Hostname); err != nil {
			return err
		}
	}
	_, joins := strings.CutPrefix(c.Mode, "container:")
	switch {
	case joins && c.Hostname != "":
		return errors.New("a container that shares another one's network has its hostname too: leave out --hostname")
	case joins && len(c.Ports) > 0:
		return errors.New("a container that shares another one's network cannot publish ports: publish them on the other one")
	case joins && (c.PublishAll || len(c.Expose) > 0):
		return errors.New("a container that shares another one's network has no ports of its own: leave out --publish-all and --expose")
	case joins && (len(c.DNS) > 0 || len(c.ExtraHosts) > 0):
		return errors.New("a container that shares another one's network shares its /etc/hosts and resolv.conf: leave out --dns and --add-host")
	case c.Namespaces.UTS == "host" && c.Hostname != "":
		return errors.New("--uts host is the host's own hostname: leave out --hostname")
	case c.MACAddress != "" && (joins || c.Mode == "host" || c.Mode == "none"):
		return fmt.Errorf("--network %s has no interface of ours: leave out --mac-address", c.Mode)
	case c.Mode == "container:":
		return errors.New("--network container: needs the other container's name")
	}
	for _, s := range c.DNS {
		if !validAddr(s) {
			return fmt.Errorf("invalid DNS server %q: want an IP address", s)
		}
	}
	return nil
}

func (c *Config) validateMounts() error {
	var targets []string
	for _, m := range c.Mounts {
		if slices.Contains(targets, m.Target) {
			return fmt.Errorf("two mounts want the same place in the container: %s", m.Target)
		}
		targets = append(targets, m.Target)
	}
	return nil
}

func (c *Config) validateRestart() error {
	if c.AutoRemove && c.Restart.Name != "" && c.Restart.Name != "no" {
		return errors.New("--rm and --restart contradict each other")
	}
	return nil
}
