package capability

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const full = Set(1<<41 - 1)

func TestEveryCapabilityOfTheHeaderHasItsNumber(t *testing.T) {
	b, err := os.ReadFile("/usr/include/linux/capability.h")
	if err != nil {
		t.Skip("needs the kernel's headers (package linux-libc-dev)")
	}
	found := 0
	for _, m := range regexp.MustCompile(`(?m)^#define (CAP_[A-Z_]+)\s+(\d+)`).FindAllStringSubmatch(string(b), -1) {
		c, ok := parseCap(m[1])
		if !ok || strconv.Itoa(int(c)) != m[2] {
			t.Errorf("%s is %d here, and known: %v; the header says %s", m[1], c, ok, m[2])
		}
		found++
	}
	if found < 38 {
		t.Errorf("the header has only %d capabilities", found)
	}
}

func TestTheDefaultIsDockersFourteen(t *testing.T) {
	want := strings.Fields(`CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID CAP_SETUID CAP_SETPCAP
		CAP_NET_BIND_SERVICE CAP_NET_RAW CAP_SYS_CHROOT CAP_MKNOD CAP_AUDIT_WRITE CAP_SETFCAP`)
	if got := Default.Names(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestResolveReadsFlagsAsDockerDoes(t *testing.T) {
	const (
		chown, kill, admin, nice, resource = Set(1), Set(1 << 5), Set(1 << 21), Set(1 << 23), Set(1 << 24)
	)
	for _, tc := range []struct {
		add, drop  string
		privileged bool
		available  Set
		want       Set
		err        string
	}{
		{"", "", false, full, Default, ""},
		{"SYS_ADMIN", "", false, full, Default | admin, ""},
		{"cap_sys_admin", "Chown", false, full, Default&^chown | admin, ""},
		{"ALL", "", false, full, full, ""},
		{"all", "sys_nice", false, full, full &^ nice, ""},
		{"all", "all", false, full, full, ""},
		{"", "ALL", false, full, 0, ""},
		{"KILL,CHOWN", "ALL", false, full, kill | chown, ""},
		{"CHOWN", "CHOWN", false, full, Default, ""},
		{"", "SYS_ADMIN", false, full, Default, ""},
		{"", "CHOWN", true, full, full, ""},
		// A machine that lacks CAP_SYS_RESOURCE.
		{"ALL", "", false, full &^ resource, full &^ resource, ""},
		{"", "", true, full &^ resource, full &^ resource, ""},
		{"", "", false, full &^ chown, Default &^ chown, ""},
		{"", "SYS_RESOURCE", false, full &^ resource, Default, ""},
		{"SYS_RESOURCE", "", false, full &^ resource, 0, "invalid CapAdd: capability not supported by your kernel or not available in the current environment: CAP_SYS_RESOURCE"},
		// A kernel newer than the table.
		{"ALL", "CAP_41", false, full | 1<<41, full, ""},
		{"FLY", "", false, full, 0, `invalid CapAdd: unknown capability: "CAP_FLY"`},
		{"", "CAP_CAP_KILL", false, full, 0, `invalid CapDrop: unknown capability: "CAP_CAP_KILL"`},
		{"CAP_5", "", false, full, 0, `invalid CapAdd: unknown capability: "CAP_5"`},
		{"CAP_64", "", false, full, 0, `invalid CapAdd: unknown capability: "CAP_64"`},
		{"FLY", "", true, full, 0, `invalid CapAdd: unknown capability: "CAP_FLY"`},
	} {
		list := func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) }
		got, err := Resolve(list(tc.add), list(tc.drop), tc.privileged, tc.available)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != tc.want || text != tc.err {
			t.Errorf("add %q drop %q privileged %v: %v, %q; want %v, %q", tc.add, tc.drop, tc.privileged, got, text, tc.want, tc.err)
		}
	}
}

func TestASetSurvivesItsOwnNames(t *testing.T) {
	for _, s := range []Set{0, Default, full, ^Set(0), 1 << 63, 1 << 41} {
		sets, warnings := FromSpec(s.Spec(), ^Set(0))
		if want := (Sets{Bounding: s, Permitted: s, Effective: s}); sets != want || warnings != nil {
			t.Errorf("%v became %+v, %v", s, sets, warnings)
		}
	}
}

func TestWhatASpecCannotHaveIsLeftOutAndTold(t *testing.T) {
	some := []string{"CAP_KILL", "CAP_SYS_ADMIN", "CAP_FLY"}
	got, warnings := FromSpec(&specs.LinuxCapabilities{
		Bounding: some, Permitted: []string{"CAP_KILL"}, Effective: some,
		Inheritable: []string{"CAP_KILL", "CAP_CHOWN"}, Ambient: []string{"CAP_KILL", "CAP_CHOWN"},
	}, Of(0, 5))
	const kill = Set(1 << 5)
	if want := (Sets{kill, kill, kill, kill, kill}); got != want {
		t.Errorf("got %+v", got)
	}
	want := []string{
		"CAP_SYS_ADMIN is not available here and left out",
		`unknown capability "CAP_FLY" left out`,
		"inheritable CAP_CHOWN left out: not in the bounding set",
		"ambient CAP_CHOWN left out: not permitted and inheritable",
	}
	if !reflect.DeepEqual(warnings, want) {
		t.Errorf("warnings: %q", warnings)
	}
	if got, warnings := FromSpec(nil, full); got != (Sets{}) || warnings != nil {
		t.Errorf("no capabilities at all: %+v, %v", got, warnings)
	}
}

func TestStatusIsReadAndABrokenOneIsNot(t *testing.T) {
	const good = "Name:\tsh\nCapInh:\t0000000000000001\nCapPrm:\t0000000000000002\nCapEff:\t0000000000000004\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000008\n"
	got, err := parseStatus(strings.NewReader(good))
	if want := (Sets{full, 2, 4, 1, 8}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, bad := range []string{"", strings.Replace(good, "CapAmb", "CapAnb", 1), strings.Replace(good, "000002", "00000x", 1)} {
		if _, err := parseStatus(strings.NewReader(bad)); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestTheKernelsLastCapabilityBoundsAll(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	own, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	if all&(all+1) != 0 || own.Bounding&^all != 0 {
		t.Errorf("all is %x, our bounding set %x", all, own.Bounding)
	}
}

func TestTheKernelAndProcTellTheSameSets(t *testing.T) {
	own, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	told, err := Read("/proc/self/status")
	if err != nil || own != told {
		t.Errorf("capget and prctl say %+v, /proc says %+v (%v)", own, told, err)
	}
}
