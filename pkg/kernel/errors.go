package kernel

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// CallError is a call that the kernel refused. It unwraps to its errno.
type CallError struct {
	Call   Call
	Text   string // the call as it was made
	Index  int    // which call of a child's list
	Errno  syscall.Errno
	Killed bool // the child was gone before the call returned
}

func (e *CallError) Error() string {
	text := e.Text
	if e.Call.About != "" {
		text += " for " + e.Call.About
	}
	if e.Killed {
		return fmt.Sprintf("%s: the process was killed during this call", text)
	}
	return fmt.Sprintf("%s: %s (%s)", text, errnoText(e.Errno), unix.ErrnoName(e.Errno))
}

func (e *CallError) Unwrap() error { return e.Errno }

// errnoText is strerror(3)'s text, "Operation not permitted".
func errnoText(e syscall.Errno) string {
	s := e.Error()
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		s = string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// Hint says in one sentence what an errno of this call usually means, or "".
// All hints of the project live in this table.
func Hint(name string, e syscall.Errno) string {
	if h, ok := hints[hintKey{name, e}]; ok {
		return h
	}
	return hints[hintKey{"", e}]
}

type hintKey struct {
	call  string
	errno syscall.Errno
}

var hints = map[hintKey]string{
	{"clone3", unix.EPERM}:         "making namespaces needs root (CAP_SYS_ADMIN), or a user namespace first",
	{"clone3", unix.EAGAIN}:        "the limit on processes (RLIMIT_NPROC or pids.max) is reached",
	{"clone3", unix.ENOSPC}:        "too many nested or open namespaces (/proc/sys/user/max_*_namespaces)",
	{"clone3", unix.EBUSY}:         "the cgroup to clone into has controllers enabled for its children, or is a threaded one",
	{"clone3", unix.ENODEV}:        "the cgroup to clone into has been removed",
	{"clone3", unix.EINVAL}:        "the kernel lacks one of these namespaces; `minictr doctor` says which",
	{"mount", unix.EPERM}:          "mounting needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace",
	{"mount", unix.ENODEV}:         "the kernel has no such file system (see /proc/filesystems)",
	{"fsopen", unix.ENODEV}:        "the kernel has no such file system (see /proc/filesystems)",
	{"fsopen", unix.EPERM}:         "mounting needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace",
	{"fsconfig", unix.EINVAL}:      "the file system does not know this option or refuses this combination",
	{"move_mount", unix.EINVAL}:    "a directory goes over a directory only, and a file over a file: compare what is mounted with what is there",
	{"pivot_root", unix.EINVAL}:    "the new root must be a mount point, and no mount on the way may be shared (MS_SHARED)",
	{"pivot_root", unix.EPERM}:     "pivot_root needs CAP_SYS_ADMIN in the mount namespace's user namespace",
	{"open_tree", unix.ENOENT}:     "the source to mount does not exist",
	{"mount_setattr", unix.EPERM}:  "a mount locked by a more privileged mount namespace cannot lose its flags",
	{"mount_setattr", unix.EINVAL}: "the kernel or the file system does not take this attribute (idmapped mounts: Linux 5.12 with ext4, xfs or btrfs, 6.3 with tmpfs)",
	{"mount", unix.EINVAL}:         "the file system does not know an option, or not this combination (an overlay of idmapped mounts: Linux 5.19)",
	{"execve", unix.ENOENT}:        "no such program in the container, or its interpreter (#! line or ELF loader) is missing",
	{"execve", unix.EACCES}:        "the file is not executable, is a directory, or sits on a noexec mount",
	{"execve", unix.ENOEXEC}:       "not a program for this machine: a wrong architecture, or a script without #! line",
	{"execve", unix.E2BIG}:         "arguments and environment are too long together",
	{"setns", unix.EPERM}:          "joining needs CAP_SYS_ADMIN in the namespace's user namespace",
	{"setns", unix.EINVAL}:         "the file is no namespace of the expected kind",
	{"sethostname", unix.EPERM}:    "without a uts namespace of its own the container would rename the host",
	{"seccomp", unix.EACCES}:       "a filter needs CAP_SYS_ADMIN or no_new_privs first",
	{"seccomp", unix.EINVAL}:       "the kernel does not know this filter flag or instruction",
	{"capset", unix.EPERM}:         "a capability that is not permitted cannot be added",
	{"prlimit64", unix.EPERM}:      "raising a hard limit needs CAP_SYS_RESOURCE",
	{"mknodat", unix.EPERM}:        "device nodes need CAP_MKNOD in the initial user namespace",
	{"mkdir", unix.EROFS}:          "the file system is read-only",
	{"mkdir", unix.ENOSPC}:         "the disk is full",
	{"write", unix.EBUSY}:          "the cgroup is busy, or a parent does not pass on the controller",
	{"write", unix.EINVAL}:         "the kernel does not take this value",
	{"write", unix.ENOSPC}:         "the disk is full, or a cpuset has no cpus or memory nodes yet",
	{"setresuid", unix.EAGAIN}:     "the user's limit on processes is reached",
	{"", unix.EPERM}:               "EPERM here usually means a missing capability; minictr wants root",
	{"", unix.ENOSPC}:              "the disk is full",
	{"", unix.EROFS}:               "the file system is read-only",
	{"", unix.ENOSYS}:              "this kernel is too old: minictr wants Linux 5.15 or newer",
	{"", unix.EMFILE}:              "too many open files in this process (ulimit -n)",
	{"", unix.ENFILE}:              "too many open files on this machine (/proc/sys/fs/file-max)",
	{"", unix.ENOMEM}:              "the kernel is out of memory, or a memory limit is reached",
	{"write", unix.EDQUOT}:         "the disk quota is used up",
	{"sendto", unix.EOPNOTSUPP}:    "the kernel lacks this kind of link or rule; `minictr doctor` says which",
	{"recvfrom", unix.EEXIST}:      "a link, address or rule of that name is there already",
	{"recvfrom", unix.EPERM}:       "configuring the network needs CAP_NET_ADMIN",
	{"recvfrom", unix.EOPNOTSUPP}:  "the kernel lacks this kind of link or rule; `minictr doctor` says which",
	{"recvfrom", unix.EADDRINUSE}:  "the address is in use",
	{"openat2", unix.ELOOP}:        "a symbolic link where none is allowed",
	{"openat2", unix.EXDEV}:        "the path leaves the container's root",
	{"unshare", unix.EPERM}:        "making namespaces needs root (CAP_SYS_ADMIN), or a user namespace first",
	{"openat", unix.ENOENT}:        "no such file; for a cgroup file: the controller is not enabled here",
	{"mkdirat", unix.EROFS}:        "the image lacks this directory and the root is read-only",
	{"keyctl", unix.EDQUOT}:        "too many session keyrings (/proc/sys/kernel/keys/maxkeys)",
	{"bpf", unix.EPERM}:            "loading a device filter needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN",
	{"ioctl", unix.EIO}:            "the terminal's other side is gone",
	{"umount2", unix.EBUSY}:        "something still uses the mount",
	{"sched_setattr", unix.EPERM}:  "this scheduling policy needs CAP_SYS_NICE",
	{"sched_setattr", unix.EINVAL}: "the kernel does not take these scheduling parameters",
	{"ioprio_set", unix.EPERM}:     "the real-time i/o class needs CAP_SYS_ADMIN or CAP_SYS_NICE",
	{"unlinkat", unix.ENOTEMPTY}:   "the directory is not empty",
	{"fsconfig", unix.ENOENT}:      "a layer's directory is missing",
	{"fsconfig", unix.ESTALE}:      "the upper directory was used with other layers before",
	{"mkdir", unix.EACCES}:         "this directory belongs to somebody else; minictr wants root",
	{"openat", unix.EACCES}:        "this file belongs to somebody else; minictr wants root",
	{"rmdir", unix.EBUSY}:          "the cgroup still holds processes",
	{"symlinkat", unix.EROFS}:      "the file system is read-only",
	{"socket", unix.EAFNOSUPPORT}:  "the kernel lacks this kind of socket",
	{"fchownat", unix.EINVAL}:      "the user is not mapped in the container's user namespace",
	{"chdir", unix.ENOENT}:         "the working directory does not exist in the container",
	{"chdir", unix.EACCES}:         "the user may not enter the working directory",
	{"chdir", unix.ENOTDIR}:        "the working directory is no directory",
	{"setgroups", unix.EPERM}:      "in a user namespace setgroups must be allowed before the gid map is written",
	{"setresgid", unix.EINVAL}:     "the group is not mapped in the container's user namespace",
	{"setresuid", unix.EINVAL}:     "the user is not mapped in the container's user namespace",
}
