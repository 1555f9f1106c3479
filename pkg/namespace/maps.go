package namespace

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Maps makes a user namespace for nothing but its id maps and leaves a
// descriptor of it in slot: mount_setattr(2) takes the maps of an idmapped
// mount in this form. No process will run in it, but one must be born into it
// so that there is a uid_map to write. suffix tells several such steps apart.
func Maps(uids, gids []specs.LinuxIDMapping, slot kernel.Slot, suffix string) step.Step {
	calls := writeMaps(step.HelperPID, uids, gids)
	calls = append(calls, kernel.OpenPath(kernel.Path{"/proc/", step.HelperPID, "/ns/user"}, unix.O_RDONLY|unix.O_CLOEXEC).Into(slot))
	return step.Step{
		Name: "namespace.id-maps" + suffix, Topic: book.Namespaces, Side: step.Host,
		Why:    "files of the host are to be seen with other owners; the kernel wants to be told which in the form of a user namespace",
		Helper: &step.Helper{Flags: unix.CLONE_NEWUSER, Calls: calls},
		Rule:   "a user namespace vanishes with its last process and descriptor",
	}
}

// MapsOf takes the id maps of the user namespace at path, for idmapped mounts
// of a container that joins it.
func MapsOf(path string, slot kernel.Slot) step.Step {
	return step.Step{
		Name: "namespace.id-maps", Topic: book.Namespaces, Side: step.Host,
		Why:   "files of the host are to be seen with the owners that the container's user namespace gives them",
		Calls: []kernel.Call{kernel.Openat(kernel.AtFDCWD, path, unix.O_RDONLY|unix.O_CLOEXEC, 0).Into(slot)},
		Rule:  "a closed descriptor leaves nothing",
	}
}

// ReleaseMaps closes the descriptors, when all mounts have been mapped.
func ReleaseMaps(slots []kernel.Slot) step.Step {
	var calls []kernel.Call
	for _, s := range slots {
		calls = append(calls, kernel.Close(kernel.FD(s)))
	}
	return step.Step{
		Name: "namespace.release-id-maps", Topic: book.Namespaces, Side: step.Host, Calls: calls,
		Why:  "an idmapped mount remembers its maps; nobody needs the user namespace any more",
		Rule: "a closed descriptor leaves nothing",
	}
}

// writeMaps writes the id maps of the user namespace of the process in slot pid.
func writeMaps(pid kernel.Slot, uids, gids []specs.LinuxIDMapping) []kernel.Call {
	file := func(name string, maps []specs.LinuxIDMapping) []kernel.Call {
		var b strings.Builder
		for _, m := range maps {
			fmt.Fprintf(&b, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
		}
		calls := kernel.WriteTo(kernel.Path{"/proc/", pid, "/" + name}, b.String())
		calls[1] = calls[1].For(name)
		return calls
	}
	return append(file("uid_map", uids), file("gid_map", gids)...)
}
