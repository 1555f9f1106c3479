package runtime_test

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/runtime"
	"minictr/pkg/step"
)

// TestNoPathOfTheContainerIsUsedBeforeThePivot (with hooks: before the process
// has changed its root directory, see rootfs.StepIn): as long as the host's files can
// be reached by their names, no call is made with a path that the image or the
// configuration has chosen inside the container. So no link of an image can lead
// a mount, a mask or a working directory to the host (CVE-2019-19921,
// CVE-2021-30465, CVE-2023-27561).
func TestNoPathOfTheContainerIsUsedBeforeThePivot(t *testing.T) {
	const chosen = "chosen-by-the-image"
	source := t.TempDir()
	paths := func(c *runtime.Config) {
		c.Spec.Process.Cwd = "/" + chosen + "/cwd"
		c.Spec.Linux.MaskedPaths = append(c.Spec.Linux.MaskedPaths, "/"+chosen+"/masked")
		c.Spec.Linux.ReadonlyPaths = append(c.Spec.Linux.ReadonlyPaths, "/"+chosen+"/readonly")
		c.Spec.Linux.Devices = append(c.Spec.Linux.Devices, specs.LinuxDevice{Path: "/" + chosen + "/device", Type: "c", Major: 1, Minor: 3})
		for _, m := range []specs.Mount{
			{Destination: "/tmpfs", Type: "tmpfs", Source: "tmpfs"},
			{Destination: "/bound", Type: "bind", Source: source, Options: []string{"rbind", "ro"}},
			{Destination: "/cgroup", Type: "cgroup", Source: "cgroup"},
		} {
			m.Destination = "/" + chosen + m.Destination
			c.Spec.Mounts = append(c.Spec.Mounts, m)
		}
	}
	for name, more := range map[string]func(*runtime.Config){
		"layers":      func(*runtime.Config) {},
		"a directory": func(c *runtime.Config) { c.Overlay = nil },
		"no pivot":    func(c *runtime.Config) { c.Overlay, c.NoPivot = nil, true },
		"hooks": func(c *runtime.Config) {
			c.Spec.Hooks = &specs.Hooks{CreateContainer: []specs.Hook{{Path: "/bin/true"}}}
		},
		"mounts in turn": func(c *runtime.Config) { c.Ordered = true },
		"a user namespace": func(c *runtime.Config) {
			maps := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
			c.Spec.Linux.Namespaces = append(c.Spec.Linux.Namespaces, specs.LinuxNamespace{Type: "user"})
			c.Spec.Linux.UIDMappings, c.Spec.Linux.GIDMappings = maps, maps
			c.Spec.Linux.Devices = nil // it would be the host's device of that name
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan, err := runtime.Plan(newBundle(t, "true", paths, more), runtime.IO{})
			if err != nil {
				t.Fatal(err)
			}
			enters := slices.IndexFunc(plan, func(s step.Step) bool {
				return slices.Contains([]string{"rootfs.pivot", "rootfs.chroot", "rootfs.step-in"}, s.Name)
			})
			if enters < 0 {
				t.Fatal("the plan never enters the root")
			}
			uses := 0
			for i, s := range plan {
				for _, c := range s.Calls {
					if !strings.Contains(c.String(), chosen) {
						continue
					}
					if uses++; i <= enters {
						t.Errorf("%s, before the pivot: %s", s.Name, c)
					}
				}
			}
			if uses < 7 {
				t.Errorf("the plan uses the paths %d times: this tested nothing", uses)
			}
		})
	}
}
