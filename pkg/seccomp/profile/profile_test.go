package profile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// allows reports whether a rule of p without conditions allows the call.
func allows(p *specs.LinuxSeccomp, name string) bool {
	return slices.ContainsFunc(p.Syscalls, func(s specs.LinuxSyscall) bool {
		return s.Action == specs.ActAllow && len(s.Args) == 0 && slices.Contains(s.Names, name)
	})
}

func TestCapabilitiesOpenCallsOfTheDefaultProfile(t *testing.T) {
	for _, tc := range []struct {
		capability, call string
	}{
		{"CAP_SYS_ADMIN", "mount"}, {"CAP_SYS_ADMIN", "setns"}, {"CAP_SYS_BOOT", "reboot"}, {"CAP_SYSLOG", "syslog"}, {"CAP_BPF", "bpf"},
	} {
		without, err := Default([]string{"CAP_CHOWN"})
		if err != nil {
			t.Fatal(err)
		}
		with, err := Default([]string{"CAP_CHOWN", tc.capability})
		if err != nil {
			t.Fatal(err)
		}
		if allows(without, tc.call) || !allows(with, tc.call) || !allows(without, "openat") {
			t.Errorf("%s does not decide about %s", tc.capability, tc.call)
		}
	}
}

func TestTheDefaultProfileNamesThisMachinesABIs(t *testing.T) {
	p, err := Default(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Architectures) < 2 || p.DefaultAction != specs.ActErrno || len(p.Flags) != 0 {
		t.Errorf("architectures %v, default %v, flags %v", p.Architectures, p.DefaultAction, p.Flags)
	}
}

func TestTheOptionIsDockers(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	custom := write("custom.json", `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		{"name": "mkdir", "action": "SCMP_ACT_ERRNO"},
		{"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_ADMIN"]}}]}`)
	for _, tc := range []struct {
		value      string
		privileged bool
		action     specs.LinuxSeccompAction // "" for no profile
	}{
		{"", false, specs.ActErrno},
		{"", true, ""},
		{"builtin", false, specs.ActErrno},
		{"builtin", true, specs.ActErrno},
		{"unconfined", false, ""},
		{custom, false, specs.ActAllow},
		{custom, true, specs.ActAllow},
		{write("empty.json", "{}"), false, ""},
	} {
		p, err := Option(tc.value, tc.privileged, nil)
		if err != nil || (p == nil) != (tc.action == "") || p != nil && p.DefaultAction != tc.action {
			t.Errorf("seccomp=%s, privileged %v: %v, %v", tc.value, tc.privileged, p, err)
		}
	}
	p, err := Option(custom, false, []string{"CAP_SYS_ADMIN"})
	if err != nil || len(p.Syscalls) != 1 || !slices.Equal(p.Syscalls[0].Names, []string{"mkdir"}) {
		t.Errorf("custom profile: %+v, %v", p, err)
	}
	for _, bad := range []string{
		filepath.Join(dir, "none.json"), write("text", "seccomp"), write("twice.json", `{"defaultAction": "SCMP_ACT_ALLOW",
		"syscalls": [{"name": "mkdir", "names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}`),
	} {
		if p, err := Option(bad, false, nil); err == nil {
			t.Errorf("%s was accepted: %v", bad, p)
		}
	}
}
