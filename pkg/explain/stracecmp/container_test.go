package stracecmp

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"minictr/pkg/capability"
	"minictr/pkg/engine/bundle"
	"minictr/pkg/engine/config"
	"minictr/pkg/image/layer"
	"minictr/pkg/image/ocispec"
	"minictr/pkg/network"
	"minictr/pkg/overlay"
	"minictr/pkg/runtime"
	"minictr/pkg/seccomp/profile"
	"minictr/pkg/step"
	"minictr/rootfs"
)

// makeBundle writes a container's files into dir: the base image, docker's
// default rights and filter, limits, a volume, a user, a published port.
func makeBundle(t *testing.T, dir string, tty bool) {
	t.Helper()
	for _, d := range []string{"base", "upper", "work", "rootfs", "volume"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tarball, err := rootfs.Tarball()
	if err != nil {
		t.Skip(err)
	}
	uncompressed, _, err := layer.Decompress(t.Context(), bytes.NewReader(tarball))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layer.Unpack(t.Context(), uncompressed, filepath.Join(dir, "base"), layer.Limits{}); err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{
		Image:     "base",
		Process:   config.Process{Command: []string{"sh", "-c", "echo \"it's \\ running\""}, TTY: tty},
		Resources: config.Resources{Memory: 64 << 20, PidsLimit: 64, NanoCPUs: 1e9, CPUShares: 512, Ulimits: []config.Ulimit{{Name: "nofile", Soft: 100, Hard: 1000}}},
		Security:  config.Security{NoNewPrivileges: true},
	}
	available, err := capability.Own()
	if err != nil {
		t.Fatal(err)
	}
	filter, err := profile.Default([]string{"CAP_CHOWN"})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := bundle.Spec(bundle.Input{
		ID: "truth", Config: cfg, Image: ocispec.ImageConfig{Env: []string{"PATH=/bin:/usr/bin"}},
		Identity: bundle.Identity{UID: 1000, GID: 1000, Groups: []uint32{1000, 7}, Home: "/"},
		Hostname: "truth", Seccomp: filter, Available: available.Bounding,
		Mounts:      []config.Mount{{Type: config.Bind, Source: filepath.Join(dir, "volume"), Target: "/data", ReadOnly: true}},
		CgroupsPath: fmt.Sprintf("/minictr-truth-%d", os.Getpid()),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &runtime.Config{
		ID: "truth", Bundle: dir, Spec: spec, RunDir: filepath.Join(dir, "run"),
		Overlay: &overlay.Layers{Lower: []string{filepath.Join(dir, "base")}, Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work")},
	}
	if err := runtime.Save(c); err != nil {
		t.Fatal(err)
	}
}

// containerPlan connects the bundle in dir and plans it. It runs in a network
// namespace that is made for it.
func containerPlan(dir string) step.Plan {
	c, err := runtime.Load(dir)
	if err != nil {
		panic(err)
	}
	port := network.PortMapping{HostIP: netip.MustParseAddr("0.0.0.0"), HostPort: 8080, ContainerPort: 80, Protocol: network.TCP}
	if c.Network, err = network.Connect(c.RunDir, c.ID, network.Options{Ports: []network.PortMapping{port}}); err != nil {
		panic(err)
	}
	plan, err := runtime.Plan(c, runtime.IO{Terminal: c.Spec.Process.Terminal, Width: 80, Height: 24})
	if err != nil {
		panic(err)
	}
	return plan
}
