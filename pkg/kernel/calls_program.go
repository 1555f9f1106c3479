package kernel

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MemfdCreate is memfd_create(2): a file that has no name in any directory and
// goes with its last descriptor.
func MemfdCreate(name string) Call {
	return call("memfd_create", unix.SYS_MEMFD_CREATE, Str(name), Named{"MFD_CLOEXEC", unix.MFD_CLOEXEC})
}

// Rewind is lseek(2) to the beginning.
func Rewind(fd Arg) Call {
	return call("lseek", unix.SYS_LSEEK, fd, Int(0), Named{"SEEK_SET", unix.SEEK_SET})
}

// execveCheck is AT_EXECVE_CHECK (Linux 6.14).
const execveCheck = 0x10000

// ExecveCheck is execveat(2) with AT_EXECVE_CHECK (Linux 6.14): the kernel says
// whether it would run the file, and does not. It allows what Execve allows.
func ExecveCheck(path string) Call {
	return call("execveat", unix.SYS_EXECVEAT, AtFDCWD, Str(path), Strings{path}, Strings{}, Named{"AT_EXECVE_CHECK", execveCheck}).
		Allowing(unix.ENOENT, unix.ENOTDIR, unix.EACCES)
}

// Faccessat2 is faccessat2(2) (Linux 5.8) with X_OK and the effective ids: the
// nearest that older kernels have to ExecveCheck.
func Faccessat2(path string) Call {
	return call("faccessat2", unix.SYS_FACCESSAT2, AtFDCWD, Str(path), Named{"X_OK", unix.X_OK}, Named{"AT_EACCESS", unix.AT_EACCESS}).
		Allowing(unix.ENOENT, unix.ENOTDIR, unix.EACCES)
}

// JoinSessionKeyring is keyctl(2) with KEYCTL_JOIN_SESSION_KEYRING: a session
// keyring of that name, a new one if there is none.
func JoinSessionKeyring(name string) Call {
	return call("keyctl", unix.SYS_KEYCTL, Named{"KEYCTL_JOIN_SESSION_KEYRING", unix.KEYCTL_JOIN_SESSION_KEYRING}, Str(name))
}

// Personality is personality(2).
func Personality(persona uint64) Call {
	return call("personality", unix.SYS_PERSONALITY, Hex(persona))
}

// IoprioSet is ioprio_set(2) on this process. class is an IOPRIO_CLASS_*
// constant.
func IoprioSet(class Named, level int) Call {
	value := Named{fmt.Sprintf("IOPRIO_PRIO_VALUE(%s, %d)", class.Name, level), class.Value<<13 | uintptr(level)}
	return call("ioprio_set", unix.SYS_IOPRIO_SET, Named{"IOPRIO_WHO_PROCESS", 1}, Int(0), value)
}

// SchedAttr is struct sched_attr of sched_setattr(2).
type SchedAttr struct {
	Policy                    Named
	Flags                     []Named
	Nice                      int32
	Priority                  uint32
	Runtime, Deadline, Period uint64 // nanoseconds
}

// SchedSetattr is sched_setattr(2) on this process.
func SchedSetattr(a SchedAttr) Call {
	var names []string
	attr := &unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: uint32(a.Policy.Value), Nice: a.Nice, Priority: a.Priority,
		Runtime: a.Runtime, Deadline: a.Deadline, Period: a.Period,
	}
	for _, f := range a.Flags {
		attr.Flags |= uint64(f.Value)
		names = append(names, f.Name)
	}
	if len(names) == 0 {
		names = []string{"0"}
	}
	show := func() string {
		return fmt.Sprintf("{size=%d, sched_policy=%s, sched_flags=%s, sched_nice=%d, sched_priority=%d, sched_runtime=%d, sched_deadline=%d, sched_period=%d}",
			attr.Size, a.Policy.Name, strings.Join(names, "|"), attr.Nice, attr.Priority, attr.Runtime, attr.Deadline, attr.Period)
	}
	return call("sched_setattr", unix.SYS_SCHED_SETATTR, Int(0), memory{unsafe.Pointer(attr), show}, Int(0))
}
