package seccomp

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/seccomp/profile"
)

// dockers is docker's default profile for a container with docker's default
// capabilities, as an amd64 machine would have it.
func dockers(t testing.TB) *specs.LinuxSeccomp {
	t.Helper()
	p, err := profile.Default([]string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
		"CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Architectures = arches["amd64"]
	return p
}

func TestDockersDefaultProfileDecidesAsWritten(t *testing.T) {
	p := dockers(t)
	f, err := Compile(p, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Program) > 500 {
		t.Errorf("%d instructions; joining ranges should leave fewer", len(f.Program))
	}
	const (
		allow  = unix.SECCOMP_RET_ALLOW
		eperm  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		kill   = unix.SECCOMP_RET_KILL_THREAD
		amd64  = unix.AUDIT_ARCH_X86_64
		i386   = unix.AUDIT_ARCH_I386
	)
	for name, tc := range map[string]struct {
		data
		want uint32
	}{
		"getpid":                       {data{nr: 39, arch: amd64}, allow},
		"mount":                        {data{nr: 165, arch: amd64}, eperm},
		"clone of a process":           {data{nr: 56, arch: amd64, args: [6]uint64{uint64(unix.SIGCHLD)}}, allow},
		"clone of a user namespace":    {data{nr: 56, arch: amd64, args: [6]uint64{unix.CLONE_NEWUSER}}, eperm},
		"clone3, whose flags it lacks": {data{nr: 435, arch: amd64}, enosys},
		"unix socket":                  {data{nr: 41, arch: amd64, args: [6]uint64{unix.AF_UNIX}}, allow},
		"vsock socket":                 {data{nr: 41, arch: amd64, args: [6]uint64{unix.AF_VSOCK}}, eperm},
		"personality, a question":      {data{nr: 135, arch: amd64, args: [6]uint64{0xffffffff}}, allow},
		"personality, another machine": {data{nr: 135, arch: amd64, args: [6]uint64{0x20001}}, eperm},
		"a hole in the table":          {data{nr: 400, arch: amd64}, eperm},
		"a call of next year":          {data{nr: 600, arch: amd64}, enosys},
		"skipped by a tracer":          {data{nr: 0xffffffff, arch: amd64}, allow},
		"getpid of i386":               {data{nr: 20, arch: i386}, allow},
		"mount of i386":                {data{nr: 21, arch: i386}, eperm},
		"getpid of x32":                {data{nr: x32Bit + 39, arch: amd64}, allow},
		"mount of x32":                 {data{nr: x32Bit + 165, arch: amd64}, eperm},
		"execve of x32":                {data{nr: x32Bit + 520, arch: amd64}, allow},
		"x32 of next year":             {data{nr: x32Bit + 600, arch: amd64}, enosys},
		"an ARM call":                  {data{nr: 20, arch: unix.AUDIT_ARCH_ARM}, kill},
	} {
		got, steps, err := interpret(f.Program, tc.data)
		if err != nil || got != tc.want {
			t.Errorf("%s: %#x, want %#x (%v)", name, got, tc.want, err)
		}
		if steps > 40 {
			t.Errorf("%s: decided after %d instructions", name, steps)
		}
	}
}

func TestDockersDefaultProfileDecidesAsJudged(t *testing.T) {
	p := dockers(t)
	f, err := Compile(p, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 1500 {
		d := randomCall(r, "amd64")
		got, _, err := interpret(f.Program, d)
		if want := judge(p, "amd64", d); err != nil || got != want {
			t.Fatalf("call %#x of %#x with %#x: %#x, want %#x (%v)", d.nr, d.arch, d.args, got, want, err)
		}
	}
}

func TestOneRuleReachesBothWaysToASocket(t *testing.T) {
	unixOnly := specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: arches["amd64"], Syscalls: []specs.LinuxSyscall{
		{Names: []string{"bind", "semop"}, Action: specs.ActAllow},
		{Names: []string{"socket"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Op: specs.OpEqualTo, Value: unix.AF_UNIX}}},
	}}
	noVsock := specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: arches["amd64"], Syscalls: []specs.LinuxSyscall{
		{Names: []string{"socket"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: specs.OpEqualTo, Value: unix.AF_VSOCK}}},
	}}
	onlyIPC := specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: arches["amd64"], Syscalls: []specs.LinuxSyscall{
		{Names: []string{"semop"}, Action: specs.ActAllow},
	}}
	const allow, eperm = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	for name, tc := range map[string]struct {
		profile *specs.LinuxSeccomp
		nr      uint32
		call    uint64
		want    uint32
	}{
		"bind":                            {&unixOnly, 361, 0, allow},
		"bind through socketcall":         {&unixOnly, 102, 2, allow},
		"listen through socketcall":       {&unixOnly, 102, 4, eperm},
		"semop through ipc":               {&unixOnly, 117, 1, allow},
		"semop through ipc, version 1":    {&unixOnly, 117, 1 | 1<<16, allow},
		"shmat through ipc":               {&unixOnly, 117, 21, eperm},
		"socket, family allowed":          {&unixOnly, 359, unix.AF_UNIX, allow},
		"socket, family unknown: strict":  {&unixOnly, 102, 1, eperm},
		"socket, family denied":           {&noVsock, 359, unix.AF_VSOCK, eperm},
		"socket, family unknown: denied":  {&noVsock, 102, 1, eperm},
		"connect, of which nothing said":  {&noVsock, 102, 3, allow},
		"socket, another family, direct ": {&noVsock, 359, unix.AF_INET, allow},
		"the only call, through its gate": {&onlyIPC, 117, 1, allow},
		"a call before the gate":          {&onlyIPC, 116, 1, eperm},
		"a call after the gate":           {&onlyIPC, 118, 1, unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
	} {
		f, err := Compile(tc.profile, "amd64")
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := interpret(f.Program, data{nr: tc.nr, arch: unix.AUDIT_ARCH_I386, args: [6]uint64{tc.call}})
		if err != nil || got != tc.want {
			t.Errorf("%s: %#x, want %#x (%v)", name, got, tc.want, err)
		}
	}
}

func BenchmarkCompileDockersDefault(b *testing.B) {
	p := dockers(b)
	for b.Loop() {
		if _, err := Compile(p, "amd64"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeDockersDefault(b *testing.B) {
	text, _ := json.Marshal(dockers(b))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var p specs.LinuxSeccomp
		if err := json.Unmarshal(text, &p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCachedDockersDefault(b *testing.B) {
	text, _ := json.Marshal(dockers(b))
	dir := filepath.Join(b.TempDir(), "seccomp")
	for b.Loop() {
		if _, err := Cached(dir, text, "amd64"); err != nil {
			b.Fatal(err)
		}
	}
}
