package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/cgroup"
	"minictr/pkg/kernel"
)

func hierarchies(x *examination) {
	h, err := cgroup.Detect()
	if err != nil {
		x.add(Missing, "hierarchies", err.Error(), "no container can be limited or even listed", "mount -t cgroup2 cgroup2 /sys/fs/cgroup")
		return
	}
	switch h.Mode() {
	case cgroup.NoMount:
		x.add(Missing, "hierarchies", "none is mounted", "no container can be limited or counted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup")
	case cgroup.V2:
		x.add(OK, "hierarchies", "v2, at "+h.Unified, "", "")
	case cgroup.Hybrid:
		x.add(OK, "hierarchies", fmt.Sprintf("hybrid: %d controllers of v1, and an extra v2 at %s", len(h.V1), h.Unified), "", "")
	default:
		x.add(OK, "hierarchies", fmt.Sprintf("v1, %d controllers", len(h.V1)), "", "")
	}
}

// controllers are the parts that limit. A limit that no controller can hold is
// refused by name.
func controllers(x *examination) {
	h, err := cgroup.Detect()
	if err != nil || h.Mode() == cgroup.NoMount {
		return
	}
	var have []string
	for _, c := range []struct{ name, flags string }{
		{"memory", "--memory and --memory-swap"},
		{"cpu", "--cpus and --cpu-shares"},
		{"pids", "--pids-limit"},
		{"cpuset", "--cpuset-cpus"},
		{"io", "--device-read-bps and its kind"},
	} {
		if h.Has(c.name) {
			have = append(have, c.name)
			continue
		}
		x.add(Warn, c.name, "no such controller", c.flags+" cannot be held to",
			"a kernel with this controller, enabled at boot (for memory: cgroup_enable=memory)")
	}
	x.add(OK, "controllers", strings.Join(have, " "), "", "")
	if dir := h.V1["memory"]; dir != "" {
		swap(x, filepath.Join(dir, "memory.memsw.limit_in_bytes"))
	}
}

func swap(x *examination, file string) {
	if exists(file) {
		x.add(OK, "swap", "is counted", "", "")
		return
	}
	x.add(Warn, "swap", "is not counted: no "+filepath.Base(file), "--memory limits memory, and what does not fit goes to swap",
		"boot with swapaccount=1, or a kernel with CONFIG_MEMCG_SWAP")
}

// groupFeatures makes a group in the v2 hierarchy and sees what it can do.
func groupFeatures(x *examination) {
	h, err := cgroup.Detect()
	if err != nil || h.Unified == "" {
		return
	}
	if !x.mayTry(sysAdmin, "a group") {
		return
	}
	dir := filepath.Join(h.Unified, fmt.Sprintf("minictr-doctor-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		x.add(Missing, "a group", err.Error(), "no container can have a group of its own", "mount "+h.Unified+" so that it can be written")
		return
	}
	defer os.Remove(dir)
	for _, f := range []struct{ name, good, consequence, since string }{
		{"cgroup.kill", "ends a whole group at once", "a container's processes are killed one by one", "5.14"},
		{"cgroup.freeze", "stops a group and lets it go on", "minictr pause does not work", "5.2"},
	} {
		if exists(filepath.Join(dir, f.name)) {
			x.add(OK, f.name, f.good, "", "")
			continue
		}
		x.add(Warn, f.name, "not there", f.consequence, "a kernel of version "+f.since+" or newer")
	}
	if h.Unifies("memory") && h.Mode() == cgroup.V2 {
		v2Swap(x, h.Unified, dir)
	}
	x.tried(bornInto(dir), Warn, "CLONE_INTO_CGROUP", "a process can be born into its group",
		"a container's first process has to be moved there", "a kernel of version 5.7 or newer")
}

// v2Swap looks for the swap limit where groups have a memory controller: in ours
// if the root passes it on, else in that of anybody.
func v2Swap(x *examination, unified, ours string) {
	groups, _ := filepath.Glob(filepath.Join(unified, "*", "memory.max"))
	for _, g := range append([]string{filepath.Join(ours, "memory.max")}, groups...) {
		if exists(g) {
			swap(x, filepath.Join(filepath.Dir(g), "memory.swap.max"))
			return
		}
	}
	x.add(Info, "swap", "nobody uses the memory controller yet: not known", "", "")
}

func bornInto(dir string) error {
	h := kernel.NewHost()
	r, err := h.Do(kernel.Openat(kernel.AtFDCWD, dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(cgroup.Slot))
	if err != nil {
		return err
	}
	defer unix.Close(int(r.Ret))
	_, err = tryOn(h, kernel.CloneArgs{Cgroup: cgroup.Slot}, nil)
	return err
}

// deviceFilter: v1 has a controller for devices; v2 asks an eBPF program.
func deviceFilter(x *examination) {
	h, err := cgroup.Detect()
	if err != nil || h.Mode() == cgroup.NoMount {
		return
	}
	if _, ok := h.V1["devices"]; ok {
		x.add(OK, "device rules", "by the devices controller of v1", "", "")
		return
	}
	if !x.mayTry(sysAdmin, "device rules") {
		return
	}
	k := kernel.NewHost()
	allow := []kernel.BPFInsn{{Code: 0xb7, Imm: 1}, {Code: 0x95}} // r0 = 1; exit
	load := kernel.BPFProgLoad(kernel.Named{Name: "BPF_PROG_TYPE_CGROUP_DEVICE", Value: unix.BPF_PROG_TYPE_CGROUP_DEVICE},
		kernel.Named{Name: "BPF_CGROUP_DEVICE", Value: unix.BPF_CGROUP_DEVICE}, allow, "Apache-2.0")
	r, err := k.Do(load)
	if err == nil {
		err = unix.Close(int(r.Ret))
	}
	if errors.Is(err, unix.EINVAL) {
		err = fmt.Errorf("%w: no such type of program", err)
	}
	x.tried(err, Missing, "device rules", "an eBPF program can decide about devices",
		"a container could open every device that it makes a node of", "a kernel with CONFIG_CGROUP_BPF")
}
