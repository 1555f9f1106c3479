package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/leak"
)

//minictr:vm

var update = flag.Bool("update", false, "write the golden file anew")

// The test binary examines this machine, and prints what it finds as JSON, when
// this variable is set: so that it can be asked as another user, or under a
// filter that takes system calls away.
const examineEnv = "DOCTOR_EXAMINE"

func TestMain(m *testing.M) {
	if os.Getenv(examineEnv) != "" {
		if err := Run(context.Background(), Options{}).JSON(os.Stdout); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// check is leak.Check, for what the doctor makes: on a machine that others use
// their containers come and go.
func check(t *testing.T) {
	t.Helper()
	w := leak.Default()
	if os.Getenv("CI") == "" {
		w.Tokens = []string{"doctor"}
	}
	w.Check(t)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make namespaces")
	}
}

// parse reads a report's JSON, findings by name.
func parse(t *testing.T, text []byte) (bool, map[string]Finding) {
	t.Helper()
	var r struct {
		OK       bool
		Findings []Finding
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	byName := make(map[string]Finding)
	for _, f := range r.Findings {
		byName[f.Name] = f
	}
	return r.OK, byName
}

func TestThisMachineCanRunContainers(t *testing.T) {
	needRoot(t)
	check(t)
	start := time.Now()
	r := Run(t.Context(), Options{Root: filepath.Join(t.TempDir(), "not/yet/made")})
	if took := time.Since(start); took > 3*time.Second && os.Getenv("MINICTR_VM") == "" { // emulated, it takes longer
		t.Errorf("it took %v", took)
	}
	for _, f := range r.Findings {
		if f.Level == Missing || f.Level == Untried {
			t.Errorf("%+v", f)
		}
	}
	if !r.OK() {
		t.Error("the verdict is no")
	}
}

func TestItLeavesNothingBehind(t *testing.T) {
	needRoot(t)
	check(t)
	root := t.TempDir()
	net, _ := os.Readlink("/proc/self/ns/net")
	for range 3 {
		Run(t.Context(), Options{Root: root})
	}
	if left, _ := os.ReadDir(root); len(left) > 0 {
		t.Errorf("left in MINICTR_ROOT: %v", left)
	}
	if left, _ := filepath.Glob("/sys/fs/cgroup/*/minictr-doctor-*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	for range 4 * runtime.GOMAXPROCS(0) {
		if now, _ := os.Readlink("/proc/thread-self/ns/net"); now != net {
			t.Error("a thread stayed in another network namespace")
		}
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != syscall.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}

func TestWithoutRootItSaysWhatItCouldNotTry(t *testing.T) {
	needRoot(t)
	self := filepath.Join(t.TempDir(), "doctor.test") // a place that others may enter
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(exec.Command("cp", exe, self).Run(), os.Chmod(self, 0o755)); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(self); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), examineEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &complaints)
	}
	ok, found := parse(t, out)
	if ok {
		t.Error("it says that containers can run without root")
	}
	for name, level := range map[string]Level{
		"root": Missing, "capabilities": Missing, "clone3": OK, "seccomp": OK, "space": OK,
		"overlay": Untried, "mount API": Untried, "links": Untried, "nftables": Untried, "other firewalls": Untried,
	} {
		if found[name].Level != level {
			t.Errorf("%s: %+v, want %s", name, found[name], level)
		}
	}
}

// TestWhatIsForbiddenIsFoundMissing runs the doctor under a filter that refuses
// a few system calls, as an old kernel or a sandbox would.
func TestWhatIsForbiddenIsFoundMissing(t *testing.T) {
	needRoot(t)
	check(t)
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	h := kernel.NewHost()
	h.Slots["out"] = out.Fd()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	child, err := h.Spawn(kernel.Clone(kernel.CloneArgs{Flags: unix.CLONE_CLEAR_SIGHAND}), []kernel.Call{
		kernel.Dup3(kernel.FD("out"), 1, false),
		kernel.SeccompFilter(0, refuse(unix.SYS_MOUNT, unix.SYS_OPENAT2, unix.SYS_PIDFD_GETFD, unix.SYS_SECCOMP)),
		kernel.Execve("/proc/self/exe", []string{"doctor.test"}, append(os.Environ(), examineEnv+"=1")),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	for child.Hear() {
	}
	if err := child.Executed(); err != nil {
		t.Fatal(err)
	}
	if _, err := syscall.Wait4(child.PID, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(out.Name())
	ok, found := parse(t, b)
	if ok {
		t.Error("it says that containers can run")
	}
	for name, level := range map[string]Level{
		"openat2": Missing, "overlay": Missing, "mount API": Missing, "overlay there": Missing, "pivot_root": Missing, "seccomp": Missing,
		"pidfd_getfd": Warn, "idmapped mounts": Warn, "mapped layers": Warn,
		"clone3": OK, "mnt": OK, "links": OK, "nftables": OK, "file systems": OK,
	} {
		f := found[name]
		if f.Level != level {
			t.Errorf("%s: %+v, want %s", name, f, level)
		}
		if bad := level == Missing || level == Warn; bad != (f.Consequence != "" && f.Fix != "") || bad && !strings.Contains(f.Found, "ENOSYS") {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// refuse is a filter under which these calls fail with ENOSYS.
func refuse(calls ...uint32) []unix.SockFilter {
	const enosys, allow = 0x00050000 | uint32(unix.ENOSYS), 0x7fff0000
	prog := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}} // seccomp_data.nr
	for i, nr := range calls {
		prog = append(prog, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: uint8(len(calls) - i), K: nr})
	}
	return append(prog, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: allow}, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: enosys})
}

func TestAnExaminationCanBeCutShort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := Run(ctx, Options{})
	if len(r.Findings) != 1 || r.Findings[0].Level != Untried {
		t.Errorf("got %+v", r.Findings)
	}
}

func TestKernelReleasesCompare(t *testing.T) {
	for _, tc := range []struct {
		release   string
		ok, known bool
	}{
		{"5.15.0-1-amd64", true, true},
		{"6.1.0", true, true},
		{"10.0-rc1", true, true},
		{"5.15", true, true},
		{"5.14.99", false, true},
		{"4.19.0", false, true},
		{"five", false, false},
		{"", false, false},
	} {
		if ok, known := atLeast(tc.release, oldest); ok != tc.ok || known != tc.known {
			t.Errorf("%q: %v, %v", tc.release, ok, known)
		}
	}
}

func aReport() Report {
	return Report{[]Finding{
		{"this machine", "kernel", OK, "Linux 6.1.0 on amd64", "", ""},
		{"rights", "CAP_NET_ADMIN", Missing, "not ours", "no bridge and no firewall rules: containers run with --network none or host only", "run on the machine itself, or give the surrounding container --cap-add CAP_NET_ADMIN"},
		{"rights", "CAP_KILL", Warn, "not \x1b[31mours", "containers of other users cannot be stopped", "sudo"},
		{"network", "links", Untried, "trying it needs CAP_NET_ADMIN", "", ""},
		{"network", "addresses", Info, "in use and avoided: 10.0.0.0/8, 172.17.0.0/16, 192.168.1.0/24, 192.168.122.0/24", "", ""},
	}}
}

func TestAReportIsPrinted(t *testing.T) {
	var b bytes.Buffer
	for _, st := range []Style{{Width: 80}, {Width: 100, Color: true}, {}} {
		if err := aReport().Write(&b, st); err != nil {
			t.Fatal(err)
		}
	}
	if err := (Report{aReport().Findings[:1]}).Write(&b, Style{Width: 80}); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/report.txt", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/report.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("testdata/report.txt differs (go test -update writes it anew):\n%s", b.String())
	}
	if strings.Contains(strings.ReplaceAll(b.String(), "\x1b[2m", ""), "\x1b[31mours") {
		t.Error("a finding's text controls the terminal")
	}
}

func TestAReportAsJSONComesBackWhole(t *testing.T) {
	var b bytes.Buffer
	if err := aReport().JSON(&b); err != nil {
		t.Fatal(err)
	}
	ok, found := parse(t, b.Bytes())
	if ok || len(found) != len(aReport().Findings) {
		t.Errorf("%v %+v", ok, found)
	}
	for _, f := range aReport().Findings {
		if found[f.Name] != f {
			t.Errorf("got %+v, want %+v", found[f.Name], f)
		}
	}
}
