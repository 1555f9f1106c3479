package profile

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
	"minictr/pkg/lsm"
)

func TestTheProfileIsFoundInTheKernelsList(t *testing.T) {
	const list = "/usr/bin/man (enforce)\nminictr-default-old (enforce)\ndocker-default (enforce)\n"
	if loaded(strings.NewReader(list), Default) {
		t.Error("found where only a longer name stands")
	}
	if !loaded(strings.NewReader(list+Default+" (enforce)\n"), Default) {
		t.Error("not found")
	}
}

func TestTheParserTakesTheProfile(t *testing.T) {
	parser, err := exec.LookPath("apparmor_parser")
	if err != nil {
		t.Skip("needs apparmor_parser (package apparmor)")
	}
	cmd := exec.Command(parser, "--skip-kernel-load", "--skip-cache", "--names")
	cmd.Stdin = strings.NewReader(Text())
	out, err := cmd.Output() // what it complains of on standard error is this machine's kernel
	if err != nil || strings.TrimSpace(string(out)) != Default {
		t.Errorf("%v: %s", err, out)
	}
}

// The kernel of the VM has AppArmor.
//
//minictr:vm

func needAppArmor(t *testing.T) {
	t.Helper()
	if !lsm.Detect().AppArmor {
		t.Skip("needs a kernel with AppArmor")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root to load a profile")
	}
	if _, err := exec.LookPath("apparmor_parser"); err != nil {
		t.Skip("needs apparmor_parser (package apparmor)")
	}
}

// load loads the profile by the step that a container's plan has.
func load(t *testing.T) {
	t.Helper()
	parser, err := Parser()
	if err != nil {
		t.Fatal(err)
	}
	if err := Load(parser).Program.Run(0); err != nil {
		t.Fatal(err)
	}
}

func TestTheProfileCanBeLoadedTwice(t *testing.T) {
	needAppArmor(t)
	load(t)
	load(t)
	if there, err := Loaded(Default); err != nil || !there {
		t.Errorf("the kernel does not list it: %v", err)
	}
	if there, err := Loaded("minictr-no-such-profile"); err != nil || there {
		t.Errorf("%v, %v", there, err)
	}
}

// TestAConfinedProcessCannotTouchTheKernelsFiles has root, with all its
// capabilities and in the host's own namespaces, try what only the profile
// keeps it from.
func TestAConfinedProcessCannotTouchTheKernelsFiles(t *testing.T) {
	needAppArmor(t)
	load(t)
	const script = `
		cat /proc/self/attr/apparmor/current
		try() { if (eval "$2") 2>/dev/null; then echo "$1 allowed"; else echo "$1 denied"; fi; }
		try sysctl 'echo 5 >/proc/sys/kernel/printk_ratelimit'
		try mount 'mount -t tmpfs none "$PWD" && umount "$PWD"'
		try security 'cat /sys/kernel/security/lsm >/dev/null'
		try sysrq 'cat /proc/sysrq-trigger >/dev/null'
		try itself 'echo 0 >/proc/self/oom_score_adj'
		try file 'echo x >"$PWD/file"'
		try program '/bin/true'`
	const denied = "minictr-default (enforce)\nsysctl denied\nmount denied\nsecurity denied\nsysrq denied\nitself allowed\nfile allowed\nprogram allowed\n"
	if got := run(t, script, lsm.AppArmor(Default).Calls...); got != denied {
		t.Errorf("confined:\n%s", got)
	}
	// From unconfined to confined is no new privilege.
	if got := run(t, script, append(lsm.AppArmor(Default).Calls, kernel.SetNoNewPrivs())...); got != denied {
		t.Errorf("confined, with no_new_privs:\n%s", got)
	}
	if got := run(t, script); !strings.HasPrefix(got, "unconfined\nsysctl allowed\nmount allowed\nsecurity allowed\n") {
		t.Errorf("unconfined, for comparison:\n%s", got)
	}
}

// run has a shell in mount and pid namespaces of its own run a script, after
// calls; /proc is still the host's, as it is where the step stands.
func run(t *testing.T, script string, calls ...kernel.Call) string {
	t.Helper()
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	h := kernel.NewHost()
	h.Slots["out"] = out.Fd()
	calls = append([]kernel.Call{kernel.Dup3(kernel.FD("out"), 1, false)}, calls...)
	calls = append(calls, kernel.Execve("/bin/sh", []string{"sh", "-c", script}, []string{"PATH=/bin:/sbin:/usr/bin:/usr/sbin", "PWD=" + dir}))
	c, err := h.Spawn(kernel.Clone(kernel.CloneArgs{Flags: unix.CLONE_NEWNS | unix.CLONE_NEWPID}), calls)
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
	if err := c.Executed(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
