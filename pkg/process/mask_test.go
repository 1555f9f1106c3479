package process

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestListsOfNumbersAreMasks(t *testing.T) {
	for list, want := range map[string][]uint64{
		"0": {1}, "0-1": {3}, "0,2-3": {13}, "64": {0, 1}, "63-64": {1 << 63, 1}, " 1, 2": {6},
	} {
		if got, err := parseMask(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	for _, list := range []string{"", "x", "1-", "-1", "2-1", "0-9876543210", "8192", "1,,2"} {
		if got, err := parseMask(list); err == nil {
			t.Errorf("%q: %v", list, got)
		}
	}
	if n, err := Count("0-3,64"); err != nil || n != 5 {
		t.Errorf("%d numbers, %v", n, err)
	}
}

func TestMemoryPoliciesAreThoseOfTheKernel(t *testing.T) {
	s, err := MemoryPolicy(&specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "0,65", Flags: []specs.MemoryPolicyFlagType{"MPOL_F_STATIC_NODES"}})
	if want := "set_mempolicy(MPOL_BIND|MPOL_F_STATIC_NODES, [0x0000000000000001, 0x0000000000000002], 129)"; err != nil || s.Calls[0].String() != want {
		t.Errorf("%s, %v; want %s", s.Calls[0], err, want)
	}
	for want, p := range map[string]specs.LinuxMemoryPolicy{
		"invalid memory policy mode":  {},
		"invalid memory policy flag":  {Mode: "MPOL_BIND", Nodes: "0", Flags: []specs.MemoryPolicyFlagType{"x"}},
		"invalid memory policy nodes": {Mode: "MPOL_BIND", Nodes: "0-"},
		"requires 0 nodes but got 8":  {Mode: "MPOL_LOCAL", Nodes: "0-7"},
	} {
		if _, err := MemoryPolicy(&p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
}
