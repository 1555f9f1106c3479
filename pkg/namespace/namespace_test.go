package namespace

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestNamespacesAreMadeOrJoinedInOrder(t *testing.T) {
	s, err := FromSpec([]specs.LinuxNamespace{
		{Type: "mount"}, {Type: "network", Path: "/proc/1/ns/net"}, {Type: "pid", Path: "/proc/1/ns/pid"}, {Type: "user", Path: "/proc/1/ns/user"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.New != unix.CLONE_NEWNS || len(s.Join) != 3 || s.Join[0].Flag != unix.CLONE_NEWUSER || s.Join[2].Flag != unix.CLONE_NEWNET {
		t.Errorf("got %+v", s)
	}
	parent, any := JoinParent(s)
	if !any || len(parent.Calls) != 2 {
		t.Errorf("the parent joins %v", parent.Calls)
	}
}

func TestUnknownRepeatedAndRelativeNamespacesAreRefused(t *testing.T) {
	for _, bad := range [][]specs.LinuxNamespace{
		{{Type: "soup"}}, {{Type: "pid"}, {Type: "pid"}}, {{Type: "network", Path: "ns/net"}},
	} {
		if _, err := FromSpec(bad); err == nil {
			t.Errorf("%v accepted", bad)
		}
	}
}
