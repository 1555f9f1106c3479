package rootfs

import (
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

const hostRoot kernel.Slot = "host-root"

// StepIn makes the container's root the root directory of this process, while
// in its mount namespace the host's tree is still there. For our own calls that
// is as good as the pivot: no path leads out of a root directory as long as
// nobody else has a say in it, and nobody has before the pivot.
func StepIn() step.Step {
	return step.Step{
		Name: "rootfs.step-in", Topic: book.Namespaces, Side: step.Inside,
		Why: "hooks want to see both the container's mounts and the host's files; so the pivot comes after them, and until then a changed root directory keeps paths in the container",
		Calls: []kernel.Call{
			kernel.Openat(kernel.AtFDCWD, "/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(hostRoot),
			kernel.Fchdir(kernel.FD(step.Root)),
			kernel.Chroot(".").As("chroot ."),
			kernel.Chdir("/"),
		},
		Rule: "a root directory belongs to the process",
		Risk: "mounts would be made in the host's tree, where links of the image lead to the host's files",
	}
}

// StepOut goes back, for Pivot.
func StepOut() step.Step {
	return step.Step{
		Name: "rootfs.step-out", Topic: book.Namespaces, Side: step.Inside,
		Why: "pivot_root wants to exchange the namespace's root, and takes the root directory of its caller for that",
		Calls: []kernel.Call{
			kernel.Fchdir(kernel.FD(hostRoot)),
			kernel.Chroot(".").As("chroot ."),
			kernel.Close(kernel.FD(hostRoot)),
		},
		Rule: "a root directory belongs to the process",
		Risk: "the container's root directory would stay a place in the host's tree",
	}
}
