package doctor

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"minictr/pkg/lsm"
	"minictr/pkg/lsm/profile"
)

// modules tells of mandatory access control.
func modules(x *examination) {
	m := lsm.Detect()
	switch {
	case m.AppArmor:
		confinement(x)
	case m.SELinux && m.Enforcing:
		x.add(Info, "SELinux", "enforcing: volumes need a label that containers may use", "", "")
	case m.SELinux:
		x.add(Info, "SELinux", "enabled, and logs only", "", "")
	default:
		x.add(Info, "AppArmor, SELinux", "neither is enabled", "", "")
	}
}

// confinement tells whether containers get the AppArmor profile that is meant
// for them: without the program that compiles it they run without.
func confinement(x *examination) {
	if _, err := profile.Loader(); err != nil {
		x.add(Info, "AppArmor", "enabled, but containers run unconfined: "+err.Error(), "", "")
		return
	}
	x.add(OK, "AppArmor", "enabled: containers run under the profile "+profile.Default+" unless --security-opt apparmor=… says otherwise", "", "")
}

// processLimits are those that containers inherit if nobody says otherwise.
func processLimits(x *examination) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		x.add(Warn, "open files", answer(err), "not known", "")
	} else {
		found := fmt.Sprintf("%s for a process, up to %s", limit(files.Cur), limit(files.Max))
		if files.Max < 1024 {
			x.add(Warn, "open files", found, "servers run out of descriptors", "ulimit -n 65536, or LimitNOFILE= of the service")
		} else {
			x.add(OK, "open files", found, "", "")
		}
	}
	var procs unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &procs); err == nil {
		found := limit(procs.Cur) + " for a user (root is not counted)"
		if procs.Max < 512 {
			x.add(Warn, "processes", found, "containers with users of their own cannot fork", "ulimit -u unlimited")
		} else {
			x.add(OK, "processes", found, "", "")
		}
	}
}

func limit(n uint64) string {
	if n == unix.RLIM_INFINITY {
		return "any number"
	}
	return strconv.FormatUint(n, 10)
}

// kernelLimits are for the machine as a whole, or for a user in all containers.
func kernelLimits(x *examination) {
	for _, l := range []struct {
		name, sysctl string
		least        int
		consequence  string
		raise        int
	}{
		{"process numbers", "kernel.pid_max", 4096, "the machine runs out of them", 4194304},
		{"inotify instances", "fs.inotify.max_user_instances", 128, "programs that watch files fail when many containers do", 1024},
		{"inotify watches", "fs.inotify.max_user_watches", 8192, "programs that watch many files fail", 524288},
		{"keyrings", "kernel.keys.maxkeys", 100, "so many containers of one user can there be, each has a keyring", 2000},
	} {
		n, err := strconv.Atoi(readWord("/proc/sys/" + strings.ReplaceAll(l.sysctl, ".", "/")))
		found := fmt.Sprintf("%s is %d", l.sysctl, n)
		switch {
		case err != nil:
			x.add(Info, l.name, "no "+l.sysctl+" in this kernel", "", "")
		case n < l.least:
			x.add(Warn, l.name, found, l.consequence, fmt.Sprintf("sysctl -w %s=%d", l.sysctl, l.raise))
		default:
			x.add(OK, l.name, found, "", "")
		}
	}
}
