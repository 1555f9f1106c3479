package lsm

import (
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Unconfined is the AppArmor profile that forbids nothing. It needs no step.
const Unconfined = "unconfined"

// AppArmor has the container's program run under a profile, which must have
// been loaded. The step must come before the container's root is entered, and
// before it joins another mount namespace.
func AppArmor(profile string) step.Step {
	return onExec("lsm.apparmor", "/proc/thread-self/attr/apparmor/exec", "exec "+profile,
		"Whatever else fails, AppArmor's profile keeps the container from touching the kernel's own files.")
}

// SELinux has the container's program run with a label, such as
// "system_u:system_r:container_t:s0:c1,c2". It must stand where [AppArmor] does.
func SELinux(label string) step.Step {
	return onExec("lsm.selinux", "/proc/thread-self/attr/exec", label,
		"Files carry labels, too: a process with a container's label reaches only those meant for it.")
}

func onExec(name, path, value, why string) step.Step {
	const slot kernel.Slot = "lsm"
	return step.Step{
		Name:  name,
		Topic: book.MAC,
		Why:   why,
		Side:  step.Inside,
		Calls: []kernel.Call{
			kernel.Openat(kernel.AtFDCWD, path, unix.O_WRONLY|unix.O_CLOEXEC, 0).Into(slot),
			kernel.Write(kernel.FD(slot), []byte(value)).As("echo '" + value + "' > " + path),
			kernel.Close(kernel.FD(slot)),
		},
		Rule: "the choice belongs to the process and ends with it",
	}
}
