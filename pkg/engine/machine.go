package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/capability"
	"minictr/pkg/cgroup"
	"minictr/pkg/engine/bundle"
	"minictr/pkg/engine/config"
	"minictr/pkg/lsm"
	"minictr/pkg/record"
)

// able asks whether this machine can do what is wanted. What a container can
// do without is left out with a warning, as docker does; what it was surely
// meant to have is an error.
func able(c *config.Config) (warnings []string, err error) {
	if n := goruntime.NumCPU(); c.NanoCPUs > int64(n)*1e9 {
		return nil, fmt.Errorf("--cpus must be between 0.01 and %d.00: this machine has %d", n, n)
	}
	if err := processors(c); err != nil {
		return nil, err
	}
	if c.AppArmor != "" && c.AppArmor != lsm.Unconfined && !lsm.Detect().AppArmor {
		return nil, fmt.Errorf("--security-opt apparmor=%s: this kernel does not run AppArmor", c.AppArmor)
	}
	if err := capable(c); err != nil {
		return nil, err
	}
	numbers, err := disks(c.Disks())
	if err != nil {
		return nil, err
	}
	h, err := cgroup.Detect()
	if err != nil {
		return nil, err
	}
	if c.CPURtPeriod != 0 || c.CPURtRuntime != 0 {
		if _, err := os.Stat(filepath.Join(h.V1["cpu"], "cpu.rt_runtime_us")); h.V1["cpu"] == "" || err != nil {
			return nil, errors.New("--cpu-rt-period and --cpu-rt-runtime need cgroup v1 and a kernel with real-time group scheduling")
		}
	}
	_, warnings, err = fit(bundle.Resources(bundle.Input{Config: c, Numbers: numbers}))
	return warnings, err
}

// capable refuses capabilities that there are none of, or not for us to give.
func capable(c *config.Config) error {
	if len(c.CapAdd)+len(c.CapDrop) == 0 {
		return nil
	}
	own, err := capability.Own()
	if err == nil {
		_, err = capability.Resolve(c.CapAdd, c.CapDrop, c.Privileged, own.Available())
	}
	return err
}

// fit leaves out limits that this machine cannot set.
func fit(r *specs.LinuxResources) (*specs.LinuxResources, []string, error) {
	h, err := cgroup.Detect()
	if err != nil {
		return nil, nil, err
	}
	fitted, warnings := h.Fit(r)
	return fitted, warnings, nil
}

// disks finds the numbers of block devices.
func disks(paths []string) (map[string]bundle.DeviceNumber, error) {
	numbers := make(map[string]bundle.DeviceNumber)
	for _, path := range paths {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			return nil, fmt.Errorf("limit device %s: %w", path, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFBLK {
			return nil, fmt.Errorf("limit device %s: it is not a disk (no block device)", path)
		}
		numbers[path] = bundle.DeviceNumber{Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev))}
	}
	return numbers, nil
}

// joins looks up the containers whose pid and IPC namespaces are wanted. shm is
// what appears at /dev/shm, "" for memory of the container's own.
func (e *Engine) joins(c *config.Config) (paths map[specs.LinuxNamespaceType]string, shm string, err error) {
	paths = make(map[specs.LinuxNamespaceType]string)
	if c.Namespaces.IPC == "host" {
		shm = "/dev/shm"
	}
	if ref, ok := config.Joined(c.Namespaces.PID); ok {
		other, err := e.joinable(ref, "processes")
		if err != nil {
			return nil, "", err
		}
		paths[specs.PIDNamespace] = fmt.Sprintf("/proc/%d/ns/pid", other.State.Pid)
	}
	if ref, ok := config.Joined(c.Namespaces.IPC); ok {
		other, err := e.joinable(ref, "IPC namespace")
		if err != nil {
			return nil, "", err
		}
		if mode := other.Config.Namespaces.IPC; mode == "" || mode == "private" || mode == "none" {
			return nil, "", fmt.Errorf("cannot join the IPC namespace of container %s: it is private (run that one with --ipc shareable)", other.Name)
		}
		paths[specs.IPCNamespace] = fmt.Sprintf("/proc/%d/ns/ipc", other.State.Pid)
		shm = fmt.Sprintf("/proc/%d/root/dev/shm", other.State.Pid)
	}
	return paths, shm, nil
}

// joinable is a running container of which something is to be shared.
func (e *Engine) joinable(ref, what string) (*Container, error) {
	other, err := e.Get(ref)
	if err != nil {
		return nil, err
	}
	if !other.Running() || !record.Alive(other.State.Pid, other.State.PidStart) {
		return nil, fmt.Errorf("cannot join the %s of container %s: it is not running", what, other.Name)
	}
	return other, nil
}
