package main

import (
	"os"
	"path/filepath"
)

// newPodman drives podman, which has no daemon: each command starts the runtime itself, and conmon stays with the
// container.
func newPodman(b *bench) *engine {
	base := []string{
		"podman", "--root", "/var/lib/containers/storage", "--runroot", "/run/containers/storage",
		"--network-config-dir", "/var/lib/containers/networks", "--cgroup-manager", "cgroupfs", "--events-backend", "file",
		"--runtime", b.runtime,
	}
	// Podman raises these limits to more than a machine without CAP_SYS_RESOURCE permits.
	run := []string{"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--pull", "never"}
	e := dockerLike(b, "podman", base, run, []string{"--time", "0"})
	e.needs, e.version = []string{"podman", "conmon"}, []string{"podman", "--version"}
	e.start = func() error {
		// Before version 3.2 there was no such file by default, and images without signatures were refused.
		if _, err := os.Stat("/etc/containers/policy.json"); err != nil {
			if err := os.MkdirAll("/etc/containers", 0o755); err != nil {
				return err
			}
			policy := []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`)
			if err := os.WriteFile("/etc/containers/policy.json", policy, 0o644); err != nil {
				return err
			}
		}
		_, err := b.must(append(base, "load", "--input", b.archive)...)
		return err
	}
	return e
}

// newDocker drives a dockerd of its own, which starts a containerd of its own. The runtime is one of several that a
// container may choose by name.
func newDocker(b *bench) *engine {
	const socket = "unix:///run/engines-docker.sock"
	base := []string{"docker", "--host", socket}
	e := dockerLike(b, "docker", base, []string{"--pull", "never", "--runtime", "minictr"}, nil)
	e.needs, e.version = []string{"docker", "dockerd", "containerd"}, []string{"dockerd", "--version"}
	e.start = func() error {
		config := filepath.Join(b.dir, "docker.json") // instead of the machine's
		if err := os.WriteFile(config, []byte("{}"), 0o644); err != nil {
			return err
		}
		daemon := []string{
			"dockerd", "--config-file", config, "--host", socket, "--data-root", "/var/lib/engines-docker", "--exec-root", "/run/engines-docker",
			"--pidfile", "/run/engines-docker.pid", "--add-runtime", "minictr=" + b.runtime,
			"--bridge", "none", "--iptables=false", "--ip-forward=false",
		}
		if err := b.daemon(daemon, append(base, "info")...); err != nil {
			return err
		}
		_, err := b.must(append(base, "load", "--input", b.archive)...)
		return err
	}
	return e
}
