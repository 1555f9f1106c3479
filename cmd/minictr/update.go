package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"minictr/pkg/engine"
	"minictr/pkg/engine/config"
)

func newUpdate(a *app) *cobra.Command {
	var f updateFlags
	cmd := &cobra.Command{
		Use:   "update [OPTIONS] CONTAINER...",
		Short: "Change limits and restart policy of containers",
		Long: `Change limits and restart policy of containers. Those that run have them at
once: a limit is a number in a file of the kernel's.`,
		Example: `  minictr update -m 512m --memory-swap 1g web
  minictr update --cpus 1.5 --pids-limit 100 web
  minictr update --restart unless-stopped web db`,
		Args:              atLeast(1, someContainers),
		ValidArgsFunction: a.completeAny,
		RunE: func(cmd *cobra.Command, args []string) error {
			fs := cmd.Flags()
			if fs.NFlag() == 0 {
				return &usageError{errors.New("you must provide one or more flags when using this command")}
			}
			return a.eachContainer(cmd.Context(), args, func(e *engine.Engine, c *engine.Container) error {
				warnings, err := e.Update(cmd.Context(), c, func(cfg *config.Config) error { return f.change(fs, cfg) })
				for _, w := range warnings {
					a.warn("%s", w)
				}
				return err
			})
		},
	}
	f.add(cmd.Flags())
	return cmd
}

// updateFlags are the limits that can be changed, and the restart policy.
type updateFlags struct {
	config.Resources
	restart config.Restart
}

func (f *updateFlags) add(fs *pflag.FlagSet) {
	flag(fs, &f.Memory, "memory,m", "bytes", "memory limit, such as 256m", config.ParseSize)
	flag(fs, &f.MemorySwap, "memory-swap", "bytes", "limit of memory and swap together; -1: any amount of swap", config.ParseMemorySwap)
	flag(fs, &f.MemoryReservation, "memory-reservation", "bytes", "memory left to it when the machine runs short", config.ParseSize)
	flag(fs, &f.NanoCPUs, "cpus", "number", "how many CPUs it may use, such as 1.5", config.ParseCPUs)
	fs.Uint64VarP(&f.CPUShares, "cpu-shares", "c", 0, "`weight` against other containers when CPUs are short (1024 is usual)")
	fs.Uint64Var(&f.CPUPeriod, "cpu-period", 0, "length of a scheduling period in `microseconds`")
	fs.Int64Var(&f.CPUQuota, "cpu-quota", 0, "`microseconds` of CPU time in each period")
	fs.StringVar(&f.CpusetCpus, "cpuset-cpus", "", "run on these `CPUs` only, such as 0-1,3")
	fs.StringVar(&f.CpusetMems, "cpuset-mems", "", "use memory of these NUMA `nodes` only")
	fs.Int64Var(&f.PidsLimit, "pids-limit", 0, "how many `processes` it may have; -1: any number")
	fs.Uint16Var(&f.BlkioWeight, "blkio-weight", 0, "`weight` against others when disks are busy, 10 to 1000")
	flag(fs, &f.restart, "restart", "policy", "start it again when it has ended: no, on-failure[:N], always, unless-stopped", config.ParseRestart)
	refuse(fs, "cpu-rt-period cpu-rt-runtime")
	refuseBecause(fs, "kernel-memory", "the kernel has no such limit any more; --memory counts its memory too")
}

// change makes the changes that the flags ask for, by docker's rules.
func (f *updateFlags) change(fs *pflag.FlagSet, c *config.Config) error {
	if err := f.changeMemory(fs, c); err != nil {
		return err
	}
	given := func(name string, set func()) {
		if fs.Changed(name) {
			set()
		}
	}
	given("cpus", func() { c.NanoCPUs = f.NanoCPUs })
	given("cpu-shares", func() { c.CPUShares = f.CPUShares })
	given("cpu-period", func() { c.CPUPeriod = f.CPUPeriod })
	given("cpu-quota", func() { c.CPUQuota = f.CPUQuota })
	given("cpuset-cpus", func() { c.CpusetCpus = f.CpusetCpus })
	given("cpuset-mems", func() { c.CpusetMems = f.CpusetMems })
	given("blkio-weight", func() { c.BlkioWeight = f.BlkioWeight })
	given("pids-limit", func() {
		if c.PidsLimit = f.PidsLimit; c.PidsLimit == 0 {
			c.PidsLimit = -1 // the limit that was must be taken away
		}
	})
	if !fs.Changed("restart") {
		return nil
	}
	if c.AutoRemove && f.restart.Name != "no" {
		return errors.New("the restart policy cannot be changed: the container is to be removed when it ends (--rm)")
	}
	c.Restart = f.restart
	return nil
}

// changeMemory keeps what --memory-swap meant when the container was made: it
// is memory and swap together, twice the memory if nobody has said.
func (f *updateFlags) changeMemory(fs *pflag.FlagSet, c *config.Config) error {
	if fs.Changed("memory-reservation") {
		c.MemoryReservation = f.MemoryReservation
	}
	sum := c.MemorySwap
	if sum == 0 && c.Memory != 0 {
		sum = 2 * c.Memory
	}
	if fs.Changed("memory-swap") {
		sum = f.MemorySwap
	}
	if !fs.Changed("memory") {
		if fs.Changed("memory-swap") {
			c.MemorySwap = sum
		}
		return nil
	}
	if sum > 0 && f.Memory > sum {
		return fmt.Errorf("memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time (--memory-swap; it is %s)", size(sum))
	}
	c.Memory, c.MemorySwap = f.Memory, sum
	return nil
}
