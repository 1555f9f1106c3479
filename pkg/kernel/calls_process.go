package kernel

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// CloneArgs is clone3's struct clone_args, as far as containers use it.
type CloneArgs struct {
	Flags  CloneFlags
	Cgroup Slot // descriptor of the cgroup directory to be born in (CLONE_INTO_CGROUP), or ""
}

// cloneArgs is struct clone_args of clone(2), as of Linux 5.7.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// flags always have CLONE_CLEAR_SIGHAND: Go's signal handlers must not run in a
// child that is no Go program any more.
func (a *CloneArgs) flags() CloneFlags {
	flags := a.Flags | unix.CLONE_CLEAR_SIGHAND
	if a.Cgroup != "" {
		flags |= unix.CLONE_INTO_CGROUP
	}
	return flags
}

// exitSignal is none with CLONE_PARENT: a sibling ends with our own signal.
func (a *CloneArgs) exitSignal() uint64 {
	if a.Flags&unix.CLONE_PARENT != 0 {
		return 0
	}
	return uint64(unix.SIGCHLD)
}

func (a *CloneArgs) raw(slots map[Slot]uintptr) cloneArgs {
	return cloneArgs{flags: uint64(a.flags()), exitSignal: a.exitSignal(), cgroup: uint64(slots[a.Cgroup])}
}

func (a *CloneArgs) text(slots map[Slot]uintptr) string {
	signal := "SIGCHLD"
	if a.exitSignal() == 0 {
		signal = "0"
	}
	s := fmt.Sprintf("{flags=%s, exit_signal=%s, stack=NULL, stack_size=0", a.flags(), signal)
	if a.Cgroup != "" {
		s += ", cgroup=" + FD(a.Cgroup).text(slots)
	}
	return s + "}"
}

func (a *CloneArgs) word(t *table) operand {
	raw := a.raw(nil)
	return t.pointer(unsafe.Pointer(&raw))
}

// Clone is clone3(2) for [Host.Spawn]: a new process, born into new
// namespaces and, on cgroup v2, into its cgroup.
func Clone(args CloneArgs) Call {
	return call("clone3", unix.SYS_CLONE3, &args, Int(unsafe.Sizeof(cloneArgs{})))
}

// CloneAgain is a clone3 made by the child itself. The first process exits,
// the second goes on with the list: that is how a process gets into a pid
// namespace it has joined. With CLONE_PARENT our own process stays its parent.
func CloneAgain(args CloneArgs) Call {
	c := Clone(args)
	c.kind = fork
	return c
}

// Unshare is unshare(2).
func Unshare(flags CloneFlags) Call {
	return call("unshare", unix.SYS_UNSHARE, flagSet{uint64(flags), cloneNames, "0"})
}

// Setns is setns(2): join the namespace behind fd.
func Setns(fd Arg, nstype CloneFlags) Call {
	return call("setns", unix.SYS_SETNS, fd, flagSet{uint64(nstype), cloneNames, "0"})
}

// Setsid is setsid(2).
func Setsid() Call { return call("setsid", unix.SYS_SETSID) }

// Sethostname is sethostname(2).
func Sethostname(name string) Call {
	return call("sethostname", unix.SYS_SETHOSTNAME, Str(name), Int(len(name))).As("hostname " + name)
}

// Setdomainname is setdomainname(2).
func Setdomainname(name string) Call {
	return call("setdomainname", unix.SYS_SETDOMAINNAME, Str(name), Int(len(name))).As("domainname " + name)
}

// Setresuid is setresuid(2) with the same uid three times.
func Setresuid(uid uint32) Call {
	return call("setresuid", unix.SYS_SETRESUID, Int(uid), Int(uid), Int(uid))
}

// Setresgid is setresgid(2) with the same gid three times.
func Setresgid(gid uint32) Call {
	return call("setresgid", unix.SYS_SETRESGID, Int(gid), Int(gid), Int(gid))
}

// Setfsuid is setfsuid(2): whom the calling thread's files belong to, and who
// asks for access to them. It reports no errors.
func Setfsuid(uid uint32) Call { return call("setfsuid", unix.SYS_SETFSUID, Int(uid)) }

// Setfsgid is setfsgid(2), the same for the group.
func Setfsgid(gid uint32) Call { return call("setfsgid", unix.SYS_SETFSGID, Int(gid)) }

// Setgroups is setgroups(2).
func Setgroups(gids []uint32) Call {
	list := append([]uint32(nil), gids...)
	show := func() string { return strings.ReplaceAll(fmt.Sprint(list), " ", ", ") }
	if len(list) == 0 {
		return call("setgroups", unix.SYS_SETGROUPS, Int(0), Null)
	}
	return call("setgroups", unix.SYS_SETGROUPS, Int(len(list)), memory{unsafe.Pointer(&list[0]), show})
}

// Prctl is prctl(2) with an option by name and up to four plain words.
func Prctl(option Named, args ...Arg) Call {
	return call("prctl", unix.SYS_PRCTL, append([]Arg{option}, args...)...)
}

// SetNoNewPrivs is prctl(PR_SET_NO_NEW_PRIVS): no set-uid program and no file
// capability gives this process or its children anything any more.
func SetNoNewPrivs() Call {
	return Prctl(Named{"PR_SET_NO_NEW_PRIVS", unix.PR_SET_NO_NEW_PRIVS}, Int(1), Int(0), Int(0), Int(0))
}

// SetDumpable is prctl(PR_SET_DUMPABLE).
func SetDumpable(on bool) Call {
	v := Named{"SUID_DUMP_DISABLE", 0}
	if on {
		v = Named{"SUID_DUMP_USER", 1}
	}
	return Prctl(Named{"PR_SET_DUMPABLE", unix.PR_SET_DUMPABLE}, v)
}

// SetPdeathsig is prctl(PR_SET_PDEATHSIG): the signal this process gets when
// the thread that made it dies.
func SetPdeathsig(sig unix.Signal) Call {
	return Prctl(Named{"PR_SET_PDEATHSIG", unix.PR_SET_PDEATHSIG}, Named{unix.SignalName(sig), uintptr(sig)})
}

// Sigprocmask empties the set of blocked signals; Go blocks them all around a
// fork.
func Sigprocmask() Call {
	var set uint64
	return call("rt_sigprocmask", unix.SYS_RT_SIGPROCMASK, Named{"SIG_SETMASK", 2},
		memory{unsafe.Pointer(&set), func() string { return "[]" }}, Null, Int(8))
}

// Prlimit is prlimit64(2) on this process: set one resource limit.
func Prlimit(resource Named, soft, hard uint64) Call {
	lim := &unix.Rlimit{Cur: soft, Max: hard}
	show := func() string { return fmt.Sprintf("{rlim_cur=%s, rlim_max=%s}", limitText(soft), limitText(hard)) }
	return call("prlimit64", unix.SYS_PRLIMIT64, Int(0), resource, memory{unsafe.Pointer(lim), show}, Null)
}

func limitText(v uint64) string {
	if v == unix.RLIM_INFINITY {
		return "RLIM64_INFINITY"
	}
	if v > 1024 && v%1024 == 0 {
		return fmt.Sprintf("%d*1024", v/1024)
	}
	return fmt.Sprint(v)
}

// Execve is execve(2). It allows the errors after which the next candidate of
// a PATH may be tried.
func Execve(path string, argv, envp []string) Call {
	c := call("execve", unix.SYS_EXECVE, Str(path), Strings(argv), Strings(envp))
	c.kind = exec
	return c.Allowing(unix.ENOENT, unix.ENOTDIR, unix.EACCES)
}

// Tell sends the parent one byte: "I am here".
func Tell() Call {
	c := Write(FD(syncSlot), []byte{'+'})
	c.kind = tell
	return c
}

// Await waits for one byte from the parent. When the parent is gone the call
// counts as failed with ECANCELED and the child ends.
func Await() Call {
	buf := make([]byte, 1)
	c := call("read", unix.SYS_READ, FD(syncSlot), memory{unsafe.Pointer(&buf[0]), func() string { return `"g"` }}, Int(1))
	c.kind = await
	return c
}

// Detach is Tell, and the last thing the parent hears of this child: it goes
// on by itself (an OCI runtime's create ends here).
func Detach() Call {
	c := Tell()
	c.kind = detach
	return c
}

// Kill is kill(2).
func Kill(pid int, sig unix.Signal) Call {
	return call("kill", unix.SYS_KILL, Int(pid), Named{unix.SignalName(sig), uintptr(sig)}).
		As(fmt.Sprintf("kill -%d %d", sig, pid))
}

// Capability header and data of capset(2), version 3.
type capData struct {
	header unix.CapUserHeader
	data   [2]unix.CapUserData
}

// Capset is capset(2) on this process: its effective, permitted and
// inheritable sets, one bit a capability. show prints a set.
func Capset(effective, permitted, inheritable uint64, show func(uint64) string) Call {
	d := &capData{header: unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}}
	for i := range d.data {
		shift := 32 * i
		d.data[i] = unix.CapUserData{Effective: uint32(effective >> shift), Permitted: uint32(permitted >> shift), Inheritable: uint32(inheritable >> shift)}
	}
	text := func() string {
		return fmt.Sprintf("{effective=%s, permitted=%s, inheritable=%s}", show(effective), show(permitted), show(inheritable))
	}
	return call("capset", unix.SYS_CAPSET,
		memory{unsafe.Pointer(&d.header), func() string { return "{version=_LINUX_CAPABILITY_VERSION_3, pid=0}" }},
		memory{unsafe.Pointer(&d.data[0]), text})
}

// SeccompFilter is seccomp(2) with SECCOMP_SET_MODE_FILTER: from here on every
// system call is judged by the program.
func SeccompFilter(flags uint, prog []unix.SockFilter) Call {
	fprog := &unix.SockFprog{Len: uint16(len(prog)), Filter: unsafe.SliceData(prog)}
	show := func() string { return fmt.Sprintf("{len=%d, filter=%p}", len(prog), fprog.Filter) }
	return call("seccomp", unix.SYS_SECCOMP, Named{"SECCOMP_SET_MODE_FILTER", unix.SECCOMP_SET_MODE_FILTER},
		flagSet{uint64(flags), seccompNames, "0"}, memory{unsafe.Pointer(fprog), show})
}

// Eventfd is eventfd2(2): a counter that one process can wait for and another
// one raise.
func Eventfd() Call {
	return call("eventfd2", unix.SYS_EVENTFD2, Int(0), Named{"EFD_CLOEXEC", unix.EFD_CLOEXEC})
}

// ReadEventfd waits until somebody raises the eventfd.
func ReadEventfd(fd Arg) Call {
	counter := new(uint64)
	show := func() string { return fmt.Sprint(*counter) }
	return call("read", unix.SYS_READ, fd, memory{unsafe.Pointer(counter), show}, Int(8))
}
