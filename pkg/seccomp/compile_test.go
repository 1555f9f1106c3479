package seccomp

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var (
	allActions = []specs.LinuxSeccompAction{
		specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno, specs.ActTrace, specs.ActAllow, specs.ActLog,
	}
	allOps = []specs.LinuxSeccompOperator{
		specs.OpEqualTo, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterThan, specs.OpGreaterEqual, specs.OpMaskedEqual,
	}
	arches = map[string][]specs.Arch{
		"amd64": {specs.ArchX86_64, specs.ArchX86, specs.ArchX32}, "arm64": {specs.ArchAARCH64, specs.ArchARM},
	}
	// Numbers around which comparisons go wrong.
	edges = []uint64{0, 1, 2, 38, 40, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000, 0x100000001, 0x1ffffffff, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffff00000000, 0xffffffffffffffff}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// randomProfile makes a profile of up to 40 rules, some of them about the same
// calls.
func randomProfile(r *rand.Rand, goarch string) *specs.LinuxSeccomp {
	errno := func() *uint {
		e := uint(r.IntN(4096))
		return pick(r, []*uint{nil, &e})
	}
	p := &specs.LinuxSeccomp{DefaultAction: pick(r, allActions), DefaultErrnoRet: errno()}
	for _, a := range arches[goarch] {
		if r.IntN(3) > 0 {
			p.Architectures = append(p.Architectures, a)
		}
	}
	few := make([]string, 12)
	for i := range few {
		few[i] = syscallTable[r.IntN(len(syscallTable))].name
	}
	few = append(few, "socket", "semop", "socketcall", "set_tls", "no_such_call")
	for range r.IntN(40) {
		block := specs.LinuxSyscall{Action: pick(r, allActions), ErrnoRet: errno()}
		for range r.IntN(30) {
			block.Names = append(block.Names, pick(r, []string{pick(r, few), syscallTable[r.IntN(len(syscallTable))].name}))
		}
		for range max(0, r.IntN(7)-3) {
			block.Args = append(block.Args, specs.LinuxSeccompArg{
				Index: uint(r.IntN(6)), Op: pick(r, allOps), Value: pick(r, edges), ValueTwo: pick(r, edges),
			})
		}
		p.Syscalls = append(p.Syscalls, block)
	}
	return p
}

func randomCall(r *rand.Rand, goarch string) data {
	row := syscallTable[r.IntN(len(syscallTable))]
	a := pick(r, abis[:])
	for a.goarch != goarch && r.IntN(20) > 0 {
		a = pick(r, abis[:])
	}
	nr := uint32(row.nr[a.column]) | a.bit // -1 among them
	switch r.IntN(10) {
	case 0:
		nr += uint32(r.IntN(3)) - 1
	case 1:
		nr = r.Uint32()
	case 2:
		nr = pick(r, []uint32{0, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 102, 117, 0xf0000, 0xf0005})
	}
	d := data{nr: nr, arch: a.audit, ip: r.Uint64()}
	for i := range d.args {
		d.args[i] = pick(r, edges)
		if r.IntN(3) == 0 {
			d.args[i] = uint64(r.IntN(30))
		}
		if a.audit == unix.AUDIT_ARCH_I386 || a.audit == unix.AUDIT_ARCH_ARM {
			d.args[i] &= 0xffffffff // the registers are that wide
		}
	}
	return d
}

func checkRandom(t *testing.T, seed uint64, calls int) {
	r := rand.New(rand.NewPCG(seed, 1))
	for _, goarch := range []string{"amd64", "arm64"} {
		p := randomProfile(r, goarch)
		f, err := Compile(p, goarch)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for range calls {
			d := randomCall(r, goarch)
			got, _, err := interpret(f.Program, d)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if want := judge(p, goarch, d); got != want {
				t.Fatalf("seed %d, %s: call %#x of arch %#x with %#x: %#x, want %#x\nprofile: %+v", seed, goarch, d.nr, d.arch, d.args, got, want, p)
			}
		}
	}
}

func TestTheProgramDecidesAsTheProfileSays(t *testing.T) {
	for seed := range uint64(40) {
		checkRandom(t, seed, 60)
	}
}

func FuzzTheProgramDecidesAsTheProfileSays(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkRandom(t, seed, 60) })
}

// TestJumpsReachAcrossALongProgram forces more code between a jump and its
// target than eight bits can count.
func TestJumpsReachAcrossALongProgram(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: arches["amd64"]}
	for i, row := range syscallTable {
		e := uint(i + 2)
		if i%7 != 0 || row.nr[0] < 0 {
			continue
		}
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{
			Names: []string{row.name}, Action: specs.ActErrno, ErrnoRet: &e,
			Args: []specs.LinuxSeccompArg{{Index: 0, Op: specs.OpGreaterThan, Value: 0x100000005}, {Index: 3, Op: specs.OpNotEqual, Value: 7}},
		})
	}
	f, err := Compile(p, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Program) < 4*farthest {
		t.Fatalf("%d instructions are too few for this test", len(f.Program))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		d := randomCall(r, "amd64")
		got, _, err := interpret(f.Program, d)
		if want := judge(p, "amd64", d); err != nil || got != want {
			t.Fatalf("call %#x with %#x: %#x, want %#x (%v)", d.nr, d.args, got, want, err)
		}
	}
}

func TestAProgramTooLongForTheKernelIsAnError(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for i := range uint64(700) {
		p.Syscalls = append(p.Syscalls, specs.LinuxSyscall{
			Names: []string{"ioctl"}, Action: specs.ActAllow,
			Args: []specs.LinuxSeccompArg{{Index: 1, Op: specs.OpLessThan, Value: i << 32}, {Index: 2, Op: specs.OpEqualTo, Value: i}},
		})
	}
	if f, err := Compile(p, "amd64"); err == nil {
		t.Errorf("accepted with %d instructions", len(f.Program))
	}
}

func TestCompilingTwiceMakesTheSameProgram(t *testing.T) {
	p := randomProfile(rand.New(rand.NewPCG(7, 7)), "amd64")
	a, _ := Compile(p, "amd64")
	b, _ := Compile(p, "amd64")
	if !reflect.DeepEqual(a, b) || a.Empty() {
		t.Error("two programs of one profile")
	}
}

func TestNoProfileIsAnEmptyFilter(t *testing.T) {
	for _, p := range []*specs.LinuxSeccomp{nil, {}} {
		if f, err := Compile(p, "amd64"); err != nil || !f.Empty() {
			t.Errorf("%v: %v, %v", p, f, err)
		}
	}
}

func TestBadProfilesAreRefused(t *testing.T) {
	errno := uint(4096)
	for name, p := range map[string]specs.LinuxSeccomp{
		"action":         {DefaultAction: "SCMP_ACT_MAYBE"},
		"no default":     {Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActAllow}}},
		"errno":          {DefaultAction: specs.ActErrno, DefaultErrnoRet: &errno},
		"rule's action":  {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}}}},
		"operator":       {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: "SCMP_CMP_LIKE"}}}}},
		"argument":       {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: specs.OpEqualTo, Index: 6}}}}},
		"architecture":   {DefaultAction: specs.ActAllow, Architectures: []specs.Arch{"SCMP_ARCH_VAX"}},
		"flag":           {DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_FAST"}},
		"listener":       {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}}},
		"listens to all": {DefaultAction: specs.ActNotify, ListenerPath: "/x"},
		"listens to writes": {
			DefaultAction: specs.ActAllow, ListenerPath: "/x", Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "write"}, Action: specs.ActNotify}},
		},
		"listener without a path": {DefaultAction: specs.ActAllow, ListenerMetadata: "x"},
	} {
		if _, err := Compile(&p, "amd64"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow}, "riscv64"); err == nil {
		t.Error("compiled for a machine without a table")
	}
}

func TestArchitecturesThatThisMachineLacksChangeNothing(t *testing.T) {
	p := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActAllow}}}
	plain, err := Compile(p, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	p.Architectures = []specs.Arch{specs.ArchAARCH64, specs.ArchARM, specs.ArchPPC64LE, specs.ArchS390X}
	other, err := Compile(p, "amd64")
	if err != nil || !slices.Equal(plain.Program, other.Program) {
		t.Errorf("a different program (%v)", err)
	}
}

func TestAFilterThatAsksAListenerSaysSo(t *testing.T) {
	p := &specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow, ListenerPath: "/x", Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv},
		Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}},
	}
	f, err := Compile(p, "amd64")
	if want := Flags(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV); err != nil || f.Flags != want || !f.Listens() {
		t.Errorf("flags %#x, want %#x; listens: %v; %v", f.Flags, want, f.Listens(), err)
	}
	if kept, ok := decode(f.encode()); !ok || !kept.Listens() {
		t.Error("the cache forgets the listener")
	}
	p.Syscalls[0].Action = specs.ActErrno
	if f, err := Compile(p, "amd64"); err != nil || f.Listens() || f.Flags != 0 {
		t.Errorf("no rule asks a listener: flags %#x, %v", f.Flags, err)
	}
}

func TestFlagsAreThoseOfTheProfile(t *testing.T) {
	for _, tc := range []struct {
		flags []specs.LinuxSeccompFlag
		want  Flags
	}{
		{nil, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW},
		{[]specs.LinuxSeccompFlag{}, 0},
		{[]specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog, "SECCOMP_FILTER_FLAG_TSYNC"}, unix.SECCOMP_FILTER_FLAG_LOG},
		{[]specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}, 0},
	} {
		f, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: tc.flags}, "arm64")
		if err != nil || f.Flags != tc.want {
			t.Errorf("%v: %#x, %v", tc.flags, f.Flags, err)
		}
	}
}
