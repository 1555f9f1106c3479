package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"

	"minictr/pkg/kernel"
)

// births: a process made by clone3, and the first thing it does with what it
// inherited.
func births(x *examination) {
	err := try(0)
	x.tried(err, Missing, "clone3", "makes processes", "no container can be made",
		"a kernel of version 5.5 or newer; if this is a container, one whose seccomp profile knows clone3")
	if err == nil {
		x.tried(try(0, kernel.CloseRange(1000, unix.CLOSE_RANGE_CLOEXEC)), Missing, "close_range", "closes what a program must not inherit",
			"descriptors of the engine would leak into containers", "a kernel of version 5.11 or newer")
	}
}

// descriptors fetches a file from another process, as is done with the
// terminal of a container.
func descriptors(x *examination) {
	if !x.mayTry(unix.CAP_SYS_PTRACE, "pidfd_getfd") {
		return
	}
	h := kernel.NewHost()
	const pid, pidfd, copied kernel.Slot = "pid", "pidfd", "copy"
	fetch := func(child int) error {
		h.Slots[pid] = uintptr(child)
		for _, c := range []kernel.Call{
			kernel.PidfdOpen(kernel.FD(pid)).Into(pidfd), kernel.PidfdGetfd(kernel.FD(pidfd), kernel.FD("null")).Into(copied),
			kernel.Close(kernel.FD(copied)), kernel.Close(kernel.FD(pidfd)),
		} {
			if _, err := h.Do(c); err != nil {
				return err
			}
		}
		return nil
	}
	null, err := h.Do(kernel.Openat(kernel.AtFDCWD, "/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0).Into("null"))
	if err == nil {
		defer unix.Close(int(null.Ret))
		_, err = tryOn(h, kernel.CloneArgs{}, fetch, kernel.Tell(), kernel.Await())
	}
	x.tried(err, Warn, "pidfd_getfd", "fetches a descriptor from another process",
		"no container can have a terminal (-t)", "a kernel of version 5.6 or newer; kernel.yama.ptrace_scope below 3")
}

func noNewPrivs(x *examination) {
	x.tried(try(0, kernel.SetNoNewPrivs()), Warn, "no_new_privs", "can be set",
		"--security-opt no-new-privileges fails", "a kernel of version 3.5 or newer")
}

// seccompFilter loads a filter that allows everything.
func seccompFilter(x *examination) {
	x.tried(try(0, kernel.SetNoNewPrivs(), kernel.SeccompFilter(0, allowAll())), Missing, "seccomp", "filters system calls",
		"containers fail unless run with --security-opt seccomp=unconfined", "a kernel with CONFIG_SECCOMP_FILTER")
}

// allowAll is the shortest filter: return SECCOMP_RET_ALLOW.
func allowAll() []unix.SockFilter {
	return []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0x7fff0000}}
}

// seccompFlags lists what else filters can do here; docker's profile needs none
// of it.
func seccompFlags(x *examination) {
	flags := []struct {
		name string
		flag uint
	}{
		{"log", unix.SECCOMP_FILTER_FLAG_LOG},
		{"spec_allow", unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW},
		{"tsync", unix.SECCOMP_FILTER_FLAG_TSYNC},
		{"notify", unix.SECCOMP_FILTER_FLAG_NEW_LISTENER},
		{"wait_killable", unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
	}
	have, lack := "", ""
	for _, f := range flags {
		if err := try(0, kernel.SetNoNewPrivs(), kernel.SeccompFilter(f.flag, allowAll())); err != nil {
			lack += " " + f.name
		} else {
			have += " " + f.name
		}
	}
	found := fmt.Sprintf("flags of filters:%s", have)
	if lack != "" {
		found += "; not here:" + lack
	}
	x.add(Info, "seccomp flags", found, "", "")
}
