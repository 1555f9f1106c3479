package bundle

import (
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"minictr/pkg/engine/config"
)

func TestAUserNamespaceMapsAllThatComesFromTheHost(t *testing.T) {
	in := input()
	in.IDs = &IDRange{UID: 100000, GID: 200000, Size: 2000}
	in.Mounts = []config.Mount{
		{Type: config.Bind, Source: "/a", Target: "/a"},
		{Type: config.Bind, Source: "/b", Target: "/b", NonRecursive: true},
		{Type: config.Tmpfs, Target: "/t"},
	}
	spec := mustSpec(t, in)
	l := spec.Linux
	want := specs.LinuxIDMapping{ContainerID: 0, HostID: 100000, Size: 2000}
	if len(l.UIDMappings) != 1 || l.UIDMappings[0] != want || l.GIDMappings[0].HostID != 200000 {
		t.Errorf("maps %v %v", l.UIDMappings, l.GIDMappings)
	}
	if !slices.Contains(l.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace}) {
		t.Errorf("namespaces %v", l.Namespaces)
	}
	if got := l.Sysctl["net.ipv4.ping_group_range"]; got != "0 1999" {
		t.Errorf("groups that may ping: %q, of which the kernel must know all", got)
	}
	for _, m := range spec.Mounts {
		mapped := slices.Contains(m.Options, "ridmap")
		if m.Destination == "/b" {
			mapped = slices.Contains(m.Options, "idmap")
		}
		if mapped != (m.Type == "bind") {
			t.Errorf("mount %+v", m)
		}
	}
	if plain := mustSpec(t, input()); len(plain.Linux.UIDMappings) > 0 {
		t.Error("maps that nobody asked for")
	}
}

func TestWhoIsNobodyInTheRangeIsRefused(t *testing.T) {
	r := &IDRange{UID: 100000, GID: 100000, Size: 2000}
	for _, id := range []Identity{{UID: 2000}, {GID: 2000}, {Groups: []uint32{0, 5000}}} {
		if r.Check(id) == nil {
			t.Errorf("%+v is accepted", id)
		}
	}
	if err := r.Check(Identity{UID: 1999, GID: 1999, Groups: []uint32{1999}}); err != nil {
		t.Error(err)
	}
}
