package seccomp

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

//go:generate go run mksyscalls.go

// abi is one way to call the kernel. A 64-bit machine has two or three: an
// amd64 kernel also takes i386's calls and, if configured, x32's. The same
// number means another call in each, so a filter that forgets one can be
// walked around.
type abi struct {
	scmp   specs.Arch
	goarch string // the machine on which this ABI exists
	column int    // in syscallTable
	audit  uint32 // seccomp_data.arch
	bit    uint32 // or-ed to every number: x32 shares amd64's seccomp_data.arch
	narrow bool   // arguments are 32 bits wide
}

const x32Bit = 0x40000000 // __X32_SYSCALL_BIT

// abis in the order of syscallTable's columns; a machine's own stands first.
var abis = [...]abi{
	{specs.ArchX86_64, "amd64", 0, unix.AUDIT_ARCH_X86_64, 0, false},
	{specs.ArchX86, "amd64", 1, unix.AUDIT_ARCH_I386, 0, true},
	{specs.ArchX32, "amd64", 2, unix.AUDIT_ARCH_X86_64, x32Bit, true},
	{specs.ArchAARCH64, "arm64", 3, unix.AUDIT_ARCH_AARCH64, 0, false},
	{specs.ArchARM, "arm64", 4, unix.AUDIT_ARCH_ARM, 0, true},
}

// foreign are the architectures of the specification whose programs neither
// amd64 nor arm64 can run: a profile may name them, nothing follows from it.
var foreign = [...]specs.Arch{
	specs.ArchMIPS, specs.ArchMIPS64, specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32,
	specs.ArchPPC, specs.ArchPPC64, specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X, specs.ArchPARISC,
	specs.ArchPARISC64, specs.ArchRISCV64, specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB,
}

// abisOf returns the ABIs that the profile filters on a machine: the machine's
// own, asked for or not, then the others that it names.
func abisOf(names []specs.Arch, goarch string) ([]abi, error) {
	var list []abi
	for _, a := range abis {
		if a.goarch == goarch && (len(list) == 0 || slices.Contains(names, a.scmp)) {
			list = append(list, a)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no system call table for %s", goarch)
	}
	for _, name := range names {
		known := slices.ContainsFunc(abis[:], func(a abi) bool { return a.scmp == name })
		if !known && !slices.Contains(foreign[:], name) {
			return nil, fmt.Errorf("unknown architecture %q", name)
		}
	}
	return list, nil
}

// syscallRow is one name with its number in each ABI. The table is plain data
// laid out by the linker: it costs nothing before it is used.
type syscallRow struct {
	name string
	nr   [len(abis)]int32
}

// lookup finds a system call by name, nil if no ABI has it.
func lookup(name string) *syscallRow {
	i, ok := sort.Find(len(syscallTable), func(i int) int { return strings.Compare(name, syscallTable[i].name) })
	if !ok {
		return nil
	}
	return &syscallTable[i]
}

// number is the call's number in a, as seccomp_data.nr shows it.
func (r *syscallRow) number(a abi) (uint32, bool) {
	nr := r.nr[a.column]
	return uint32(nr) | a.bit, nr >= 0
}

// armPrivate is where arm's calls outside of the table begin (set_tls and the
// like): far above all others, they say nothing about how new a profile is.
const armPrivate = 0xf0000

type multiplex struct {
	name string
	via  string
	call uint64
}

// multiplexed lists the calls that i386 also makes through socketcall and ipc:
// the real call is then the first argument (include/uapi/linux/net.h, ipc.h).
// A rule for the call must reach both ways to make it.
var multiplexed = [...]multiplex{
	{"accept", "socketcall", 5},
	{"accept4", "socketcall", 18},
	{"bind", "socketcall", 2},
	{"connect", "socketcall", 3},
	{"getpeername", "socketcall", 7},
	{"getsockname", "socketcall", 6},
	{"getsockopt", "socketcall", 15},
	{"listen", "socketcall", 4},
	{"msgctl", "ipc", 14},
	{"msgget", "ipc", 13},
	{"msgrcv", "ipc", 12},
	{"msgsnd", "ipc", 11},
	{"recv", "socketcall", 10},
	{"recvfrom", "socketcall", 12},
	{"recvmmsg", "socketcall", 19},
	{"recvmsg", "socketcall", 17},
	{"semctl", "ipc", 3},
	{"semget", "ipc", 2},
	{"semop", "ipc", 1},
	{"semtimedop", "ipc", 4},
	{"send", "socketcall", 9},
	{"sendmmsg", "socketcall", 20},
	{"sendmsg", "socketcall", 16},
	{"sendto", "socketcall", 11},
	{"setsockopt", "socketcall", 14},
	{"shmat", "ipc", 21},
	{"shmctl", "ipc", 24},
	{"shmdt", "ipc", 22},
	{"shmget", "ipc", 23},
	{"shutdown", "socketcall", 13},
	{"socket", "socketcall", 1},
	{"socketpair", "socketcall", 8},
}

// gateOf finds the second way to a call, nil for most.
func gateOf(name string) *multiplex {
	i, ok := sort.Find(len(multiplexed), func(i int) int { return strings.Compare(name, multiplexed[i].name) })
	if !ok {
		return nil
	}
	return &multiplexed[i]
}
