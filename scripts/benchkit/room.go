package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The room is where the engines are measured: a container made by hand, in which every engine has a machine of its own
// and none can leave a trace on the real one.
//
// A network namespace takes their bridges, firewall rules and ports. A PID namespace takes daemons, shims and
// containers: when its first process dies, the kernel kills all others, however the bench ends. A mount namespace takes
// their mounts, gives them an empty /run, and an empty /var/lib that is a directory on the real disk, and a copy-on-write /etc. A cgroup namespace
// puts all their cgroups beneath one directory. What remains to be removed by hand is that directory, in each hierarchy,
// and the temporary directory.
//
// Three processes: outside, started by the user, makes the namespaces and cleans up; init, the first process in the
// room, reaps orphans; inside, its child, measures.

// outside makes the room, waits for its end, and removes what namespaces do not.
func outside(o options) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("namespaces, mounts and the engines need root (sudo scripts/bench)")
	}
	// Caught before anything is made: from here on a signal means to stop and clean up.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	temp, err := tempDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if err := copyBinaries(o.bin, filepath.Join(temp, "bin")); err != nil {
		return err
	}
	groups, err := findCgroups()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("minictr-bench-%d", os.Getpid())
	defer func() { err = errors.Join(err, removeCgroups(groups, name)) }()
	if err := makeCgroups(groups, name); err != nil {
		return err
	}

	// Pdeathsig comes when the thread that started the process ends, not the process.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", append([]string{"-stage", "init"}, os.Args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "BENCH_TEMP="+temp, "BENCH_CGROUP="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Pdeathsig:  unix.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("make the room: %w", err)
	}
	go func() {
		for range signals {
			_ = cmd.Process.Kill()
		}
	}()
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && err != nil {
		if status.Signaled() {
			return errors.New("interrupted; everything is cleaned up")
		}
		return exitCode(status.ExitStatus())
	}
	return err
}

// tempDir is the one that scripts/bench made, or else a new one.
func tempDir() (string, error) {
	if dir := os.Getenv("BENCH_TEMP"); dir != "" {
		return dir, nil
	}
	return os.MkdirTemp("", "minictr-bench.")
}

// copyBinaries takes what is measured out of reach of a build that runs meanwhile.
func copyBinaries(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"minictr", "minictr-shim", "minictr-registry", "minictr-oci"} {
		err := install(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) { // what is not there is reported as not measured
			return err
		}
	}
	return nil
}

// install copies a program and lets the kernel forget the copy, so that it is read from the disk, as the peers' programs
// were after the last boot. It matters for memory: a file that was just written lies in the page cache in large pieces,
// and since Linux 6.18 whoever touches a byte of one has all of it mapped.
func install(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return fmt.Errorf("forget the copy of %s: %w", from, err)
	}
	return nil
}

// initProcess is process 1 of the room: it furnishes it, starts inside, and reaps whatever loses its parent.
func initProcess(o options) error {
	groups, err := findCgroups()
	if err != nil {
		return err
	}
	// A cgroup namespace begins at the cgroup that its first process is in. (Before the room has a /sys of its own.)
	if err := joinCgroups(groups, os.Getenv("BENCH_CGROUP")); err != nil {
		return err
	}
	if err := furnish(os.Getenv("BENCH_TEMP")); err != nil {
		return fmt.Errorf("furnish the room: %w", err)
	}
	if err := bindHugetlb(groups, os.Getenv("BENCH_TEMP")); err != nil {
		fmt.Fprintln(os.Stderr, "bench: crun may refuse to run:", err)
	}
	child, err := os.StartProcess("/proc/self/exe",
		slices.Concat(os.Args[:1], []string{"-stage", "inside"}, os.Args[3:]), &os.ProcAttr{
			Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
			Sys:   &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWCGROUP},
		})
	if err != nil {
		return err
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case pid != child.Pid:
		case status.Signaled():
			return exitCode(128 + int(status.Signal()))
		case status.ExitStatus() != 0:
			return exitCode(status.ExitStatus())
		default:
			return nil
		}
	}
}

// bindHugetlb makes hugetlb a hierarchy of cgroup v1 where v1 lacks it, for as long as the room lives: crun wants one,
// see legacyWorld, and from within a cgroup namespace none can be made.
func bindHugetlb(groups []hierarchy, temp string) error {
	legacy := slices.ContainsFunc(groups, func(h hierarchy) bool { return h.fstype == "cgroup" })
	if !legacy || slices.ContainsFunc(groups, func(h hierarchy) bool { return h.options == "hugetlb" }) {
		return nil
	}
	dir := filepath.Join(temp, "hugetlb")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("cgroup", dir, "cgroup", 0, "hugetlb"); err != nil {
		return fmt.Errorf("mount the hugetlb controller: %w", err)
	}
	return nil
}

// furnish mounts what a machine has, afresh.
func furnish(temp string) error {
	in := func(name string) string { return filepath.Join(temp, name) }
	for _, name := range []string{"lib", "etc", "etc-work", "tmp", "home"} {
		if err := os.MkdirAll(in(name), 0o755); err != nil {
			return err
		}
	}
	mounts := []struct {
		source, target, fstype string
		flags                  uintptr
		data                   string
	}{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE, ""},
		{"proc", "/proc", "proc", 0, ""},
		{"sysfs", "/sys", "sysfs", 0, ""},
		{"run", "/run", "tmpfs", 0, ""},
		{in("lib"), "/var/lib", "", unix.MS_BIND, ""},
		// Daemons write keys and locks there.
		{"etc", "/etc", "overlay", 0, "lowerdir=/etc,upperdir=" + in("etc") + ",workdir=" + in("etc-work")},
	}
	for _, m := range mounts {
		if err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s: %w%s", m.target, err, hint(m.fstype, temp))
		}
	}
	if err := os.MkdirAll("/run/lock", 0o755); err != nil {
		return err
	}
	return unix.Sethostname([]byte("bench"))
}

// hint is for those who measure inside a container: an overlay cannot be written through a second one.
func hint(fstype, temp string) string {
	if fstype != "overlay" {
		return ""
	}
	return " (the file system of " + temp + " must be able to hold an overlay: set TMPDIR to one that is)"
}

// enterRoom is the rest of the furnishing, for which one must be in the cgroup namespace; and the environment, the same
// for all contenders.
func enterRoom(temp string) error {
	if err := mountCgroups(); err != nil {
		return err
	}
	for variable, value := range map[string]string{
		"TMPDIR": filepath.Join(temp, "tmp"),
		"HOME":   filepath.Join(temp, "home"),
		"PATH":   filepath.Join(temp, "bin") + ":" + os.Getenv("PATH"),
	} {
		if err := os.Setenv(variable, value); err != nil {
			return err
		}
	}
	return up("lo")
}

// up switches a link on: a new network namespace begins with a loopback that is off.
func up(link string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(link)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("switch %s on: %w", link, err)
	}
	return nil
}

// quiet waits until nobody else in the room is running or waiting for the disk, twice in a row; two seconds at most.
func quiet() {
	calm := 0
	for end := time.Now().Add(2 * time.Second); calm < 2 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		if busy() {
			calm = 0
		} else {
			calm++
		}
	}
}

func busy() bool {
	for _, p := range processes() {
		if p.pid != os.Getpid() && strings.Contains("RD", p.state) {
			return true
		}
	}
	return false
}
