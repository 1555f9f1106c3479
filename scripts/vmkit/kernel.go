package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Kernel is a bootable kernel image and the directory of its modules (…/lib/modules/RELEASE).
type Kernel struct {
	Image   string
	Modules string
	Release string
}

// findKernel returns the kernel to boot: the one named by MINICTR_VM_KERNEL (an unpacked kernel package's root
// directory, for trying other kernels), or a stock distribution kernel from the cache, which is filled on first use.
func findKernel() (Kernel, error) {
	if dir := os.Getenv("MINICTR_VM_KERNEL"); dir != "" {
		return kernelIn(dir)
	}
	cache, err := cacheDir()
	if err != nil {
		return Kernel{}, err
	}
	// Two first runs at once: the second waits for the first and finds its kernel.
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return Kernel{}, err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return Kernel{}, fmt.Errorf("lock the kernel cache: %w", err)
	}
	dir := filepath.Join(cache, "kernel")
	if kernel, err := kernelIn(dir); err == nil {
		return kernel, nil
	}
	if err := fetchKernel(dir); err != nil {
		return Kernel{}, err
	}
	return kernelIn(dir)
}

// fetchKernel unpacks the distribution's kernel for virtual machines into dir. It is not installed: nothing of this
// machine's own boot changes.
func fetchKernel(dir string) error {
	fmt.Fprintln(os.Stderr, "vm: fetching a stock kernel (about 30 MB, once)")
	partial := dir + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	fetch := exec.Command("scripts/debget", "-d", "^linux-(image|modules)-[0-9]", partial, "amd64",
		"linux-image-cloud-amd64|linux-image-virtual")
	fetch.Stdout, fetch.Stderr = os.Stderr, os.Stderr
	if err := fetch.Run(); err != nil {
		return fmt.Errorf("no kernel for the VM could be fetched (%w); "+
			"MINICTR_VM_KERNEL=DIR takes the boot/ and lib/modules/ in DIR instead", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(partial, dir)
}

// kernelIn finds boot/vmlinuz-RELEASE and its modules under dir. Distributions with a merged /usr may ship the modules
// in usr/lib.
func kernelIn(dir string) (Kernel, error) {
	images, _ := filepath.Glob(filepath.Join(dir, "boot/vmlinuz-*")) // the pattern is well formed
	for _, image := range images {
		release := filepath.Base(image)[len("vmlinuz-"):]
		for _, lib := range []string{"lib/modules", "usr/lib/modules"} {
			modules := filepath.Join(dir, lib, release)
			if _, err := os.Stat(filepath.Join(modules, "kernel")); err == nil {
				return Kernel{Image: image, Modules: modules, Release: release}, nil
			}
		}
	}
	return Kernel{}, fmt.Errorf("no boot/vmlinuz-* with its modules in %s", dir)
}

// cacheDir is where the kernel stays between runs: $XDG_CACHE_HOME/minictr/vm or ~/.cache/minictr/vm.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("where to cache the kernel: %w", err)
	}
	dir := filepath.Join(base, "minictr", "vm")
	return dir, os.MkdirAll(dir, 0o755)
}

// findBusybox returns a static amd64 busybox: this machine's, or the distribution's from the cache.
func findBusybox() (string, error) {
	if path, ok := staticBusybox("/"); ok {
		return path, nil
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "busybox")
	if path, ok := staticBusybox(dir); ok {
		return path, nil
	}
	fetch := exec.Command("scripts/debget", dir, "amd64", "busybox-static")
	fetch.Stdout, fetch.Stderr = os.Stderr, os.Stderr
	if err := fetch.Run(); err != nil {
		return "", fmt.Errorf("no static busybox here and none could be fetched: %w", err)
	}
	if path, ok := staticBusybox(dir); ok {
		return path, nil
	}
	return "", errors.New("the package busybox-static holds no static busybox")
}

func staticBusybox(root string) (string, bool) {
	for _, name := range []string{"bin/busybox", "usr/bin/busybox"} {
		path := filepath.Join(root, name)
		if libraries, err := neededLibraries(path); err == nil && len(libraries) == 0 {
			return path, true
		}
	}
	return "", false
}
