package seccomp

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// oneCall writes a program that makes a single system call, by the syscall
// instruction or by i386's int 0x80, and exits with its errno. It is an ELF
// file of some 200 bytes, without a runtime whose own calls a filter would see.
func oneCall(t *testing.T, i386 bool, nr uint32, args ...uint64) string {
	t.Helper()
	var code bytes.Buffer
	u32 := func(v uint32) { binary.Write(&code, binary.LittleEndian, v) }
	code.WriteByte(0xb8) // mov eax, nr
	u32(nr)
	for i, a := range args {
		if i386 {
			code.WriteByte([]byte{0xbb, 0xb9, 0xba}[i]) // mov ebx, ecx, edx
			u32(uint32(a))
			continue
		}
		code.Write([][]byte{{0x48, 0xbf}, {0x48, 0xbe}, {0x48, 0xba}, {0x49, 0xba}}[i]) // mov rdi, rsi, rdx, r10
		binary.Write(&code, binary.LittleEndian, a)
	}
	if i386 {
		code.Write([]byte{0xcd, 0x80}) // int 0x80
	} else {
		code.Write([]byte{0x0f, 0x05}) // syscall
	}
	code.Write([]byte{
		0x31, 0xff, // xor edi, edi
		0x85, 0xc0, // test eax, eax
		0x79, 0x04, // jns: past the next two
		0x89, 0xc7, // mov edi, eax
		0xf7, 0xdf, // neg edi
		0xb8, 60, 0, 0, 0, // mov eax, SYS_exit
		0x0f, 0x05, // syscall
	})
	const base, headers = 0x400000, 64 + 56
	size := uint64(headers + code.Len())
	var elf bytes.Buffer
	elf.WriteString("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, v := range []any{
		uint16(2), uint16(62), uint32(1), uint64(base + headers), uint64(64), uint64(0), uint32(0), // executable, x86-64, entry, phoff, shoff, flags
		uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0), // sizes and counts
		uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), size, size, uint64(0x1000), // PT_LOAD, readable and executable
	} {
		binary.Write(&elf, binary.LittleEndian, v)
	}
	elf.Write(code.Bytes())
	path := filepath.Join(t.TempDir(), "onecall")
	if err := os.WriteFile(path, elf.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// under runs a program under a filter, after calls of its own.
func under(t *testing.T, f Filter, program string, before ...kernel.Call) (syscall.WaitStatus, error) {
	t.Helper()
	calls := before
	if !f.Empty() {
		calls = append(calls, Load(f).Calls...)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, err := kernel.NewHost().Spawn(kernel.Clone(kernel.CloneArgs{}), append(calls, kernel.Execve(program, []string{program}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for c.Hear() {
	}
	var ws syscall.WaitStatus
	if _, err := syscall.Wait4(c.PID, &ws, 0, nil); err != nil {
		t.Fatal(err)
	}
	return ws, c.Executed()
}

// fate puts a wait status in one word: "ok", an errno's name, a signal's name.
func fate(ws syscall.WaitStatus) string {
	switch {
	case ws.Signaled():
		return unix.SignalName(ws.Signal())
	case ws.ExitStatus() == 0:
		return "ok"
	}
	if name := unix.ErrnoName(syscall.Errno(ws.ExitStatus())); name != "" {
		return name
	}
	return fmt.Sprint("exit ", ws.ExitStatus())
}

func TestTheKernelAppliesDockersDefaultProfile(t *testing.T) {
	f, err := Compile(dockers(t), "amd64")
	if err != nil {
		t.Fatal(err)
	}
	hasI386 := true
	if ws, _ := under(t, Filter{}, oneCall(t, true, 20)); ws.Signaled() {
		hasI386 = false // no IA32 emulation: int 0x80 ends the program
	}
	hasX32 := "ok"
	if ws, _ := under(t, Filter{}, oneCall(t, false, x32Bit+39)); fate(ws) != "ok" {
		hasX32 = "ENOSYS"
	}
	for name, tc := range map[string]struct {
		i386 bool
		nr   uint32
		args []uint64
		want string
	}{
		"getpid":                    {nr: 39, want: "ok"},
		"mount":                     {nr: 165, want: "EPERM"},
		"unshare":                   {nr: 272, args: []uint64{unix.CLONE_NEWUSER}, want: "EPERM"},
		"clone3":                    {nr: 435, want: "ENOSYS"},
		"keyctl":                    {nr: 250, want: "EPERM"},
		"unix socket":               {nr: 41, args: []uint64{unix.AF_UNIX, unix.SOCK_STREAM, 0}, want: "ok"},
		"vsock socket":              {nr: 41, args: []uint64{unix.AF_VSOCK, unix.SOCK_STREAM, 0}, want: "EPERM"},
		"personality, a question":   {nr: 135, args: []uint64{0xffffffff}, want: "ok"},
		"personality, other":        {nr: 135, args: []uint64{0x20001}, want: "EPERM"},
		"a call of next year":       {nr: 600, want: "ENOSYS"},
		"no call":                   {nr: 0xffffffff, want: "ENOSYS"},
		"getpid of x32":             {nr: x32Bit + 39, want: hasX32},
		"mount of x32":              {nr: x32Bit + 165, want: "EPERM"},
		"getpid of i386":            {i386: true, nr: 20, want: "ok"},
		"mount of i386":             {i386: true, nr: 21, want: "EPERM"},
		"vsock socket of i386":      {i386: true, nr: 359, args: []uint64{unix.AF_VSOCK, unix.SOCK_STREAM, 0}, want: "EPERM"},
		"execve's number, but i386": {i386: true, nr: 221 /* fcntl64 */, args: []uint64{1, unix.F_GETFD}, want: "ok"},
	} {
		if tc.i386 && !hasI386 {
			t.Logf("%s: left out, this kernel runs no i386 calls", name)
			continue
		}
		ws, err := under(t, f, oneCall(t, tc.i386, tc.nr, tc.args...), kernel.SetNoNewPrivs())
		if err != nil || fate(ws) != tc.want {
			t.Errorf("%s: %s, want %s (%v)", name, fate(ws), tc.want, err)
		}
	}
}

func TestTheKernelKillsCallsThroughAnABIThatTheProfileDoesNotName(t *testing.T) {
	f, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow}, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for name, program := range map[string]string{"x32": oneCall(t, false, x32Bit+39), "i386": oneCall(t, true, 20)} {
		ws, err := under(t, f, program, kernel.SetNoNewPrivs())
		if want := "SIGSYS"; err != nil || fate(ws) != want && !(name == "i386" && fate(ws) == "SIGSEGV") {
			t.Errorf("%s: %s, want %s (%v)", name, fate(ws), want, err)
		}
	}
}

func TestEveryActionDoesWhatItSays(t *testing.T) {
	code := uint(77)
	for action, want := range map[specs.LinuxSeccompAction]string{
		specs.ActAllow: "ok", specs.ActLog: "ok", specs.ActErrno: "EBADFD", specs.ActTrap: "SIGSYS", specs.ActKill: "SIGSYS",
		specs.ActKillThread: "SIGSYS", specs.ActKillProcess: "SIGSYS", specs.ActTrace: "ENOSYS", // nobody traces
	} {
		p := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"getppid"}, Action: action, ErrnoRet: &code}}}
		if action == specs.ActAllow { // or else it would be no rule
			p.DefaultAction = specs.ActLog
		}
		f, err := Compile(p, "amd64")
		if err != nil {
			t.Fatal(err)
		}
		ws, err := under(t, f, oneCall(t, false, unix.SYS_GETPPID), kernel.SetNoNewPrivs())
		if err != nil || fate(ws) != want {
			t.Errorf("%s: %s, want %s (%v)", action, fate(ws), want, err)
		}
	}
}

// TestWithoutNoNewPrivsAFilterWantsPrivileges shows why the step's place in the
// plan depends on no_new_privs.
func TestWithoutNoNewPrivsAFilterWantsPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to have CAP_SYS_ADMIN")
	}
	f, err := Compile(dockers(t), "amd64")
	if err != nil {
		t.Fatal(err)
	}
	program := oneCall(t, false, 165)
	if err := os.Chmod(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	drop := kernel.Capset(0, 0, 0, func(uint64) string { return "0" })
	if ws, err := under(t, f, program); err != nil || fate(ws) != "EPERM" {
		t.Errorf("root with all capabilities: %s, %v", fate(ws), err)
	}
	if _, err := under(t, f, program, drop); err == nil {
		t.Error("loaded without capabilities")
	}
	if ws, err := under(t, f, program, drop, kernel.SetNoNewPrivs()); err != nil || fate(ws) != "EPERM" {
		t.Errorf("no_new_privs, no capabilities: %s, %v", fate(ws), err)
	}
}

func TestTheKernelTakesEveryFlag(t *testing.T) {
	for _, flags := range [][]specs.LinuxSeccompFlag{
		nil, {}, {specs.LinuxSeccompFlagLog}, {specs.LinuxSeccompFlagSpecAllow}, {"SECCOMP_FILTER_FLAG_TSYNC"}, {specs.LinuxSeccompFlagWaitKillableRecv},
	} {
		f, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: flags}, "amd64")
		if err != nil {
			t.Fatal(err)
		}
		if ws, err := under(t, f, oneCall(t, false, 39), kernel.SetNoNewPrivs()); err != nil || fate(ws) != "ok" {
			t.Errorf("%v: %s, %v", flags, fate(ws), err)
		}
	}
}

func TestTheKernelTakesACachedFilter(t *testing.T) {
	text, err := json.Marshal(dockers(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for range 2 {
		f, err := Cached(dir, text, "amd64")
		if err != nil {
			t.Fatal(err)
		}
		if ws, err := under(t, f, oneCall(t, false, 165), kernel.SetNoNewPrivs()); err != nil || fate(ws) != "EPERM" {
			t.Errorf("%s, %v", fate(ws), err)
		}
	}
}
