package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const emulation = "tcg,thread=multi"

// kvmTrial is how long a VM under KVM may take to prove that it works; it needs about a second.
const kvmTrial = 8 * time.Second

// chooseAccel returns "kvm" where a VM really boots under it, emulation otherwise. That /dev/kvm opens proves nothing:
// inside another VM it can exist and never run an instruction. So it is tried once per boot of the host, and the
// result is remembered in the cache.
func chooseAccel(qemu string, kernel Kernel) string {
	file, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return emulation
	}
	file.Close()
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return emulation
	}
	known := ""
	if cache, err := cacheDir(); err == nil {
		known = filepath.Join(cache, "accel")
	}
	if text, err := os.ReadFile(known); err == nil {
		if id, accel, ok := strings.Cut(strings.TrimSpace(string(text)), " "); ok && id == strings.TrimSpace(string(bootID)) {
			return accel
		}
	}
	accel := emulation
	if kvmWorks(qemu, kernel) {
		accel = "kvm"
	}
	// A cache that cannot be written costs a trial next time, nothing more.
	_ = os.WriteFile(known, []byte(strings.TrimSpace(string(bootID))+" "+accel+"\n"), 0o644)
	return accel
}

// kvmWorks boots the kernel without any init: it must come as far as to panic about that, and reset the machine.
func kvmWorks(qemu string, kernel Kernel) bool {
	ctx, cancel := context.WithTimeout(context.Background(), kvmTrial)
	defer cancel()
	return exec.CommandContext(ctx, qemu,
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none",
		"-accel", "kvm", "-cpu", "max", "-m", "256", "-kernel", kernel.Image, "-append", "quiet panic=-1").Run() == nil
}
