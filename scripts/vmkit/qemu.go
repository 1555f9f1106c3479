package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Machine is one VM and the command to run in it.
type Machine struct {
	Command     []string
	Env         []string // NAME=VALUE
	Files       []File
	Timeout     time.Duration // 0: never
	MemoryMiB   int
	CPUs        int
	Append      string // more kernel command line
	Interactive bool
	Verbose     bool
	JSON        bool

	Stdout, Stderr *os.File
}

// errHung is the cause of a VM that was killed because its time was over.
var errHung = errors.New("time is over")

// Run boots, runs the command and returns its exit code. Several VMs can run at once: each has a directory of its own.
func (m *Machine) Run() (int, error) {
	qemu, err := tool("qemu-system-x86_64", "qemu-system-x86")
	if err != nil {
		return 0, err
	}
	kernel, err := findKernel()
	if err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "minictr-vm-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	m.say("kernel %s", kernel.Image)
	if err := m.buildInitramfs(filepath.Join(dir, "initramfs"), kernel); err != nil {
		return 0, err
	}
	accel := chooseAccel(qemu, kernel)
	m.say("accelerator %s", accel)
	return m.boot(qemu, kernel, dir, accel)
}

func (m *Machine) boot(qemu string, kernel Kernel, dir, accel string) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if m.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, m.Timeout, errHung)
		defer cancel()
	}
	began := time.Now()
	command := exec.CommandContext(ctx, qemu, m.arguments(kernel, dir, accel)...)
	command.ExtraFiles = []*os.File{m.Stdout, m.Stderr} // file descriptors 3 and 4
	command.Stderr = os.Stderr
	// Whatever ends us ends qemu. Not in our process group: Ctrl-C reaches us alone, and in a shell it is a byte for
	// the VM.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: !m.Interactive}
	if m.Interactive {
		command.Stdin, command.Stdout = os.Stdin, os.Stdout
	}
	failed := command.Run()
	m.say("the VM ran for %v", time.Since(began).Round(time.Millisecond))
	if m.Verbose {
		_ = copyTo(os.Stderr, filepath.Join(dir, "console")) // only extra words
	}
	if ctx.Err() != nil {
		if errors.Is(context.Cause(ctx), errHung) {
			return 124, fmt.Errorf("killed after %v: the command did not end, or the VM hung; the kernel's last words:\n%s",
				m.Timeout, lastLines(filepath.Join(dir, "console"), 15))
		}
		return 130, errors.New("interrupted")
	}
	if failed != nil {
		return 0, fmt.Errorf("qemu: %w", failed)
	}
	return exitCode(dir)
}

// exitCode reads what init wrote before it reset the machine. Nothing there means that the kernel ended first.
func exitCode(dir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "exit"))
	if err != nil {
		return 0, err
	}
	code, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("the VM ended before its command did (a kernel panic?); its last words:\n%s",
			lastLines(filepath.Join(dir, "console"), 40))
	}
	return code, nil
}

// arguments is the machine: no disks, no network, a serial line for the kernel's messages, and virtio ports for the
// command's output and exit code.
func (m *Machine) arguments(kernel Kernel, dir, accel string) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-nic", "none",
		"-accel", accel, "-cpu", "max",
		"-smp", strconv.Itoa(m.CPUs), "-m", strconv.Itoa(m.MemoryMiB),
		"-kernel", kernel.Image, "-initrd", filepath.Join(dir, "initramfs"), "-append", m.kernelCommandLine(),
		"-chardev", "file,id=console,path=" + filepath.Join(dir, "console"), "-serial", "chardev:console",
		"-device", "virtio-serial-pci",
		"-chardev", "file,id=exit,path=" + filepath.Join(dir, "exit"),
		"-device", "virtserialport,chardev=exit,name=minictr.exit",
	}
	if m.Interactive {
		return append(args, "-chardev", "stdio,id=terminal,signal=off", "-device", "virtconsole,chardev=terminal")
	}
	for i, name := range []string{"out", "err"} {
		args = append(args,
			"-add-fd", fmt.Sprintf("fd=%d,set=%d", 3+i, 1+i),
			"-chardev", fmt.Sprintf("file,id=%s,path=/dev/fdset/%d,append=on", name, 1+i),
			"-device", fmt.Sprintf("virtserialport,chardev=%s,name=minictr.%s", name, name))
	}
	return args
}

func (m *Machine) kernelCommandLine() string {
	words := []string{
		"console=ttyS0", "quiet", "rdinit=/init",
		"panic=-1",                           // a panic resets at once, which ends qemu (-no-reboot)
		"oops=panic",                         // a kernel bug must fail the run, not pass unseen
		"reboot=t",                           // the quickest reset
		"mitigations=off",                    // nothing here is worth protecting; emulation is slow enough
		"systemd.unified_cgroup_hierarchy=1", // read by people: this is a pure cgroup v2 system
		"apparmor=1", "security=apparmor",
		"minictr.disposable", // steps that protect the host may be left out here (runtime.Plan)
	}
	if m.Interactive {
		words = append(words, "VM_INTERACTIVE=1") // init finds it in its environment
	}
	if m.Append != "" {
		words = append(words, m.Append)
	}
	return strings.Join(words, " ")
}

// lastLines returns the end of a log.
func lastLines(path string, count int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r", ""), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}

func copyTo(to io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(to, file)
	return err
}

// terminalSize is a command that gives the VM's console the size of our terminal: a virtio console does not know it.
func terminalSize() string {
	command := exec.Command("stty", "size")
	command.Stdin = os.Stdin
	out, err := command.Output()
	if err != nil {
		return ""
	}
	size := strings.Fields(string(out))
	if len(size) != 2 {
		return ""
	}
	return fmt.Sprintf("stty rows %s cols %s\n", size[0], size[1])
}
