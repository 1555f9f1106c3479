// Command vmkit boots a small Linux VM for tests: Debian's stock cloud kernel under qemu, an initramfs of a static
// busybox, the kernel modules and tools that container tests need, and nothing on disk. scripts/vm is its front door.
//
//	scripts/vm run [options] -- COMMAND [ARGS]   run COMMAND as root in a fresh VM; exit with its exit code
//	scripts/vm shell [options]                   an interactive root shell
//	scripts/vm test [options] [PACKAGES]         the Go tests that want a VM, all in one boot (see tests.go)
//	scripts/vm fetch                             only make sure that a kernel is in the cache
//
// Why a VM. What a container engine does depends on the kernel it runs on: cgroup v1 or v2, AppArmor or not, which
// modules there are. The VM has pure cgroup v2, AppArmor, ipvlan and all of netfilter, can be crashed at will, and is
// the same on every machine. With KVM it is up in about a second, without (TCG, plain emulation) in a few.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	if self := os.Getenv("VM_SELF"); self != "" { // where scripts/vm built this program
		_ = os.RemoveAll(self)
	}
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		if code == 0 {
			code = 125
		}
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	if len(args) == 0 {
		return 0, errors.New("usage: scripts/vm run|shell|test|fetch [options]; -h after one of them lists its options")
	}
	machine, rest, err := parse(args[0], args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0, nil
	}
	if err != nil {
		return 2, err
	}
	switch args[0] {
	case "run":
		if len(rest) == 0 {
			return 2, errors.New("run: no command given (scripts/vm run -- COMMAND)")
		}
		machine.Command = rest
		return machine.Run()
	case "shell":
		if _, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS); err != nil {
			return 2, errors.New("shell: standard input is no terminal (scripts/vm run -- COMMAND needs none)")
		}
		machine.Command, machine.Interactive = []string{"sh", "-l"}, true
		return machine.Run()
	case "test":
		return runTests(machine, rest)
	case "fetch":
		kernel, err := findKernel()
		if err == nil {
			fmt.Println(kernel.Image)
		}
		return 0, err
	}
	return 2, fmt.Errorf("%s: no such command (run, shell, test, fetch)", args[0])
}

// parse reads the options that all commands share.
func parse(name string, args []string) (*Machine, []string, error) {
	machine := &Machine{Stdout: os.Stdout, Stderr: os.Stderr}
	flags := flag.NewFlagSet("vm "+name, flag.ContinueOnError)
	flags.Func("file", "copy host `SRC:DST` (a file or a directory) into the VM; may be repeated", func(value string) error {
		source, target, ok := strings.Cut(value, ":")
		if !ok || !strings.HasPrefix(target, "/") {
			return errors.New("want SRC:DST with an absolute DST")
		}
		// Relative to where the user is; we are at the top of the repository.
		if start := os.Getenv("VM_START"); !filepath.IsAbs(source) && start != "" {
			source = filepath.Join(start, source)
		}
		machine.Files = append(machine.Files, File{source, target})
		return nil
	})
	flags.Func("env", "set `NAME=VALUE` for the command; may be repeated", func(value string) error {
		machine.Env = append(machine.Env, value)
		return nil
	})
	flags.DurationVar(&machine.Timeout, "timeout", 0, "kill the VM after this `time` (60s, 10m; 0: never)")
	flags.IntVar(&machine.MemoryMiB, "memory", 1536, "memory in `MiB`")
	flags.IntVar(&machine.CPUs, "cpus", 2, "number of processors")
	flags.StringVar(&machine.Append, "append", "", "more kernel command line `words`")
	flags.BoolVar(&machine.Verbose, "v", false, "say what is done, and print the kernel's log afterwards")
	flags.BoolVar(&machine.JSON, "json", false, "test: print go test's JSON events")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	return machine, flags.Args(), nil
}

// say prints progress where it cannot be mistaken for the command's output.
func (m *Machine) say(format string, args ...any) {
	if m.Verbose {
		fmt.Fprintf(os.Stderr, "vm: "+format+"\n", args...)
	}
}

// tool reports the path of a program that must be installed, or how to install it.
func tool(name, debianPackage string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed (Debian, Ubuntu: apt-get install %s, or scripts/deps install)", name, debianPackage)
	}
	return path, nil
}
