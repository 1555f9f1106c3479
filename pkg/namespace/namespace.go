package namespace

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// Set says which namespaces a process gets: new ones, and ones to join.
type Set struct {
	New  kernel.CloneFlags
	Join []Join
}

// Join is an existing namespace.
type Join struct {
	Flag kernel.CloneFlags
	Path string // /proc/<pid>/ns/<kind>, or a bind mount of one
}

// Ours reports whether it is a namespace that this process is in.
func (j Join) Ours() bool {
	var theirs, ours unix.Stat_t
	if unix.Stat(j.Path, &theirs) != nil || unix.Stat("/proc/self/ns/"+j.file(), &ours) != nil {
		return false
	}
	return theirs.Dev == ours.Dev && theirs.Ino == ours.Ino
}

// file is the name of its kind in /proc/<pid>/ns.
func (j Join) file() string {
	if j.Flag == unix.CLONE_NEWNS {
		return "mnt"
	}
	return j.kind()
}

// kinds in the order in which they must be joined: the user namespace first,
// since it decides what the others allow; the mount namespace last, since
// paths mean something else after it.
var kinds = []struct {
	name specs.LinuxNamespaceType
	flag kernel.CloneFlags
}{
	{specs.UserNamespace, unix.CLONE_NEWUSER},
	{specs.PIDNamespace, unix.CLONE_NEWPID},
	{specs.TimeNamespace, unix.CLONE_NEWTIME},
	{specs.IPCNamespace, unix.CLONE_NEWIPC},
	{specs.UTSNamespace, unix.CLONE_NEWUTS},
	{specs.NetworkNamespace, unix.CLONE_NEWNET},
	{specs.CgroupNamespace, unix.CLONE_NEWCGROUP},
	{specs.MountNamespace, unix.CLONE_NEWNS},
}

// FromSpec reads the namespaces of an OCI configuration.
func FromSpec(list []specs.LinuxNamespace) (Set, error) {
	var set Set
	seen := make(map[specs.LinuxNamespaceType]bool)
	for _, ns := range list {
		if seen[ns.Type] {
			return set, fmt.Errorf("namespace %q is listed twice", ns.Type)
		}
		seen[ns.Type] = true
		i := slices.IndexFunc(kinds, func(k struct {
			name specs.LinuxNamespaceType
			flag kernel.CloneFlags
		},
		) bool {
			return k.name == ns.Type
		})
		if i < 0 {
			return set, fmt.Errorf("unknown namespace type %q", ns.Type)
		}
		if ns.Path != "" && !strings.HasPrefix(ns.Path, "/") {
			return set, fmt.Errorf("the path of the %s namespace is not absolute: %q", ns.Type, ns.Path)
		}
		if ns.Path == "" {
			set.New |= kinds[i].flag
		} else {
			set.Join = append(set.Join, Join{kinds[i].flag, ns.Path})
		}
	}
	slices.SortStableFunc(set.Join, func(a, b Join) int { return rank(a.Flag) - rank(b.Flag) })
	return set, nil
}

func rank(f kernel.CloneFlags) int {
	for i, k := range kinds {
		if k.flag == f {
			return i
		}
	}
	return len(kinds)
}

// Has reports whether the set makes a new namespace of this kind.
func (s Set) Has(flag kernel.CloneFlags) bool { return s.New&flag != 0 }

// Joins reports whether the set joins a namespace of this kind.
func (s Set) Joins(flag kernel.CloneFlags) bool {
	return slices.ContainsFunc(s.Join, func(j Join) bool { return j.Flag == flag })
}

// childrenOnly are the kinds that a process enters by being born: setns and
// unshare change the caller's future children, not the caller.
const childrenOnly = unix.CLONE_NEWPID | unix.CLONE_NEWTIME

// Clone makes the process, in all its new namespaces at once. later names
// flags left to a later Unshare. cgroup, if not empty, is the slot of the
// cgroup directory the process is born in.
func Clone(s Set, later kernel.CloneFlags, cgroup kernel.Slot) step.Step {
	flags := s.New &^ later
	return step.Step{
		Name: "namespace.clone", Topic: book.Namespaces, Side: step.Clone,
		Why: "one call makes the process and its namespaces; from here on two processes work side by side",
		Calls: []kernel.Call{
			kernel.Clone(kernel.CloneArgs{Flags: flags, Cgroup: cgroup}).As(unshareCommand(flags)),
		},
		Rule: "namespaces vanish with their last process",
	}
}

// unshareCommand is the unshare(1) command line for flags.
func unshareCommand(flags kernel.CloneFlags) string {
	options := []struct {
		flag kernel.CloneFlags
		name string
	}{
		{unix.CLONE_NEWUSER, "--user"},
		{unix.CLONE_NEWPID, "--pid --fork"},
		{unix.CLONE_NEWNS, "--mount"},
		{unix.CLONE_NEWNET, "--net"},
		{unix.CLONE_NEWIPC, "--ipc"},
		{unix.CLONE_NEWUTS, "--uts"},
		{unix.CLONE_NEWCGROUP, "--cgroup"},
		{unix.CLONE_NEWTIME, "--time"},
	}
	cmd := "unshare"
	for _, o := range options {
		if flags&o.flag != 0 {
			cmd += " " + o.name
		}
	}
	return cmd + " sh"
}

// JoinParent joins, in the parent, the namespaces that only children enter, and
// those of the host's users that nobody can enter any more who is born into a
// user namespace of his own. It has no calls when there are none. Only the
// calling thread changes.
func JoinParent(s Set) (step.Step, bool) {
	return joinStep(s, step.Host, "namespace.join-parent", true)
}

// JoinInside joins all other namespaces, in the child.
func JoinInside(s Set) (step.Step, bool) {
	return joinStep(s, step.Inside, "namespace.join", false)
}

// before reports a namespace to join before a new user namespace is made.
func (s Set) before(j Join) bool {
	const reached = unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	return s.Has(unix.CLONE_NEWUSER) && j.Flag&reached != 0
}

func joinStep(s Set, side step.Side, name string, children bool) (step.Step, bool) {
	var calls []kernel.Call
	for _, j := range s.Join {
		if (j.Flag&childrenOnly != 0 || s.before(j)) != children {
			continue
		}
		calls = append(calls, j.calls()...)
	}
	if s.Joins(unix.CLONE_NEWUSER) && !children {
		calls = append(calls, become(0)...)
	}
	return step.Step{
		Name: name, Topic: book.Namespaces, Side: side, Calls: calls,
		Why:  "share a namespace with another container instead of making a new one",
		Rule: "a process's membership ends with the process",
	}, len(calls) > 0
}

func (j Join) calls() []kernel.Call {
	slot := kernel.Slot("ns:" + j.Flag.String())
	return []kernel.Call{
		kernel.Openat(kernel.AtFDCWD, j.Path, unix.O_RDONLY|unix.O_CLOEXEC, 0).Into(slot),
		kernel.Setns(kernel.FD(slot), j.Flag).As("nsenter --" + j.kind() + "=" + j.Path),
	}
}

func (j Join) kind() string {
	for _, k := range kinds {
		if k.flag == j.Flag {
			return strings.TrimSuffix(string(k.name), "work")
		}
	}
	return "?"
}

// become makes the process user and group id of its user namespace; right
// after entering one it is nobody there.
func become(id uint32) []kernel.Call {
	return []kernel.Call{kernel.Setresgid(id), kernel.Setresuid(id)}
}

// MapIDs writes the id maps of a new user namespace, from outside: only a
// privileged parent may map more than one id.
func MapIDs(uids, gids []specs.LinuxIDMapping) step.Step {
	return step.Step{
		Name: "namespace.map-ids", Topic: book.Namespaces, Side: step.Host,
		Why:   "say which users of the host stand behind the users of the new user namespace",
		Calls: writeMaps(step.PID, uids, gids),
		Rule:  "the maps belong to the user namespace and vanish with it",
	}
}

// AssumeRoot waits for the id maps and becomes root of the user namespace.
func AssumeRoot() step.Step {
	return step.Step{
		Name: "namespace.assume-root", Topic: book.Namespaces, Side: step.Inside,
		Why:   "until the maps are written every id is nobody (65534); then uid 0 of the namespace is ours",
		Calls: append([]kernel.Call{kernel.Await()}, append(become(0), kernel.Setgroups(nil))...),
		Rule:  "credentials end with the process",
	}
}

// Hostname names the machine that the container believes it is.
func Hostname(hostname, domainname string) step.Step {
	var calls []kernel.Call
	if hostname != "" {
		calls = append(calls, kernel.Sethostname(hostname))
	}
	if domainname != "" {
		calls = append(calls, kernel.Setdomainname(domainname))
	}
	return step.Step{
		Name: "namespace.hostname", Topic: book.Namespaces, Side: step.Inside, Calls: calls,
		Why:  "the uts namespace has a host name of its own; the host keeps its name",
		Rule: "the name belongs to the uts namespace and vanishes with it",
	}
}

// target is the slot of a pidfd of the process whose namespaces are joined.
const target kernel.Slot = "target"

// All are the kinds of namespace in which the container differs from the host.
func (s Set) All() kernel.CloneFlags {
	flags := s.New
	for _, j := range s.Join {
		flags |= j.Flag
	}
	return flags
}

// Reach takes hold of a running container by its first process, and, for that
// only children enter a pid namespace, joins that one before the clone.
func Reach(pid int, s Set) step.Step {
	calls := []kernel.Call{kernel.PidfdOpen(kernel.Int(pid)).Into(target)}
	if flags := s.All() & childrenOnly; flags != 0 && !s.Descends() {
		calls = append(calls, kernel.Setns(kernel.FD(target), flags))
	}
	return step.Step{
		Name: "namespace.reach", Topic: book.Namespaces, Side: step.Host, Calls: calls,
		Why:  "a pidfd names the container's first process for sure, even if its number is used again; the next child is born in its pid namespace",
		Rule: "a descriptor ends with its process; a thread's choice for its children, with the thread",
	}
}

// Enter joins all other namespaces of the process that Reach took hold of.
func Enter(pid int, s Set) step.Step {
	flags := s.All() &^ childrenOnly
	all := fmt.Sprintf("nsenter --target %d --all", pid)
	calls := []kernel.Call{kernel.Setns(kernel.FD(target), flags).As(all)}
	if flags&unix.CLONE_NEWUSER != 0 {
		// First as the host's root: not all of them need belong to the user namespace.
		calls = nil
		if others := flags &^ unix.CLONE_NEWUSER; others != 0 {
			calls = append(calls, kernel.Setns(kernel.FD(target), others).As(all))
		}
		calls = append(calls, kernel.Setns(kernel.FD(target), unix.CLONE_NEWUSER).As(fmt.Sprintf("nsenter --target %d --user", pid)))
		calls = append(calls, become(0)...)
	}
	return step.Step{
		Name: "namespace.enter", Topic: book.Namespaces, Side: step.Inside, Calls: calls,
		Why:  "see what the container sees: its files, network, host name, users",
		Rule: "a process's membership ends with the process",
	}
}
