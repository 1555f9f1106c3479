package process

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// The slots in which the caller leaves the program's standard descriptors.
const (
	Stdin  kernel.Slot = "stdin"
	Stdout kernel.Slot = "stdout"
	Stderr kernel.Slot = "stderr"
)

const endsWithProcess = "attributes of a process end with it"

func inside(name string, topic book.Topic, why string, calls ...kernel.Call) step.Step {
	return step.Step{Name: name, Topic: topic, Side: step.Inside, Why: why, Calls: calls, Rule: endsWithProcess}
}

// Hide keeps the container's other processes from looking into this one before
// execve: until then its /proc/<pid>/exe is a program of the host
// (CVE-2019-5736).
func Hide() step.Step {
	return inside("process.hide", book.Capabilities,
		"until it becomes the container's program this process is still ours; nobody in the container may trace it or open its memory and files",
		kernel.SetDumpable(false))
}

// Session makes the process the leader of a session without a terminal. Package
// terminal makes the session where there is one.
func Session() step.Step {
	return inside("process.session", book.Terminal, "a session of its own: Ctrl-C on our terminal is not the container's", kernel.Setsid())
}

// Stdio puts the standard descriptors in their places.
func Stdio() step.Step {
	return inside("process.stdio", book.Engine,
		"the container's standard input and outputs are the shim's pipes",
		kernel.Dup3(kernel.FD(Stdin), 0, false), kernel.Dup3(kernel.FD(Stdout), 1, false), kernel.Dup3(kernel.FD(Stderr), 2, false))
}

// settings is the slot of the host's /proc/sys.
const settings kernel.Slot = "settings"

// ReachSettings takes hold of /proc/sys for Sysctl while "/" is the host's.
// Whose settings the files hold depends on who opens them, not on the mount: a
// process sees those of its own network and ipc namespace there.
func ReachSettings() step.Step {
	return inside("process.reach-settings", book.Namespaces,
		"settings are written through the host's own /proc/sys: in the container's, a mount or a link of the image could stand in the way",
		kernel.Openat(kernel.AtFDCWD, "/proc/sys", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0).Into(settings))
}

// Sysctl sets kernel parameters of the container's own namespaces. After the
// network has been made, for its devices have settings too; and whatever is
// mounted over the container's /proc by then (CVE-2025-52881).
func Sysctl(values map[string]string) step.Step {
	s := inside("process.sysctl", book.Namespaces, "kernel parameters that belong to the new namespaces, not to the host")
	const file kernel.Slot = "setting"
	for _, key := range slices.Sorted(maps.Keys(values)) {
		path := sysctlPath(key)
		s.Calls = append(s.Calls,
			kernel.Openat2(kernel.FD(settings), path, unix.O_WRONLY|unix.O_CLOEXEC, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_XDEV).
				For("/proc/sys/"+path).Into(file),
			kernel.Write(kernel.FD(file), []byte(values[key])).As("sysctl -w "+key+"="+values[key]),
			kernel.Close(kernel.FD(file)))
	}
	s.Calls = append(s.Calls, kernel.Close(kernel.FD(settings)))
	return s
}

// sysctlPath is the file of a setting below /proc/sys. Whichever of dot and
// slash comes first in the name separates its parts; the other one is part of
// them, as the dot is in the interface "eth0.1" (sysctl(8)).
func sysctlPath(key string) string {
	if i := strings.IndexAny(key, "./"); i >= 0 && key[i] == '/' {
		return key
	}
	return strings.NewReplacer(".", "/", "/", ".").Replace(key)
}

// OOMScore sets whom the kernel kills first when memory runs out (-1000…1000).
func OOMScore(adj int) step.Step {
	return inside("process.oom-score", book.Cgroups, "say how soon the kernel should kill this process when the machine is out of memory",
		kernel.WriteFile("/proc/self/oom_score_adj", fmt.Sprint(adj))...)
}

// OOMScoreOf is OOMScore for a container with a user namespace: a score below
// the one it was born with takes a right that root of a user namespace has not.
func OOMScoreOf(adj int) step.Step {
	return step.Step{
		Name: "process.oom-score", Topic: book.Cgroups, Side: step.Host, Rule: endsWithProcess,
		Why:   "say how soon the kernel should kill this process when the machine is out of memory",
		Calls: kernel.WriteTo(kernel.Path{"/proc/", step.PID, "/oom_score_adj"}, fmt.Sprint(adj)),
	}
}

// rlimits are the resource limits by their OCI names.
var rlimits = map[string]uintptr{
	"RLIMIT_AS": unix.RLIMIT_AS, "RLIMIT_CORE": unix.RLIMIT_CORE, "RLIMIT_CPU": unix.RLIMIT_CPU, "RLIMIT_DATA": unix.RLIMIT_DATA,
	"RLIMIT_FSIZE": unix.RLIMIT_FSIZE, "RLIMIT_LOCKS": unix.RLIMIT_LOCKS, "RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK,
	"RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_NICE": unix.RLIMIT_NICE, "RLIMIT_NOFILE": unix.RLIMIT_NOFILE,
	"RLIMIT_NPROC": unix.RLIMIT_NPROC, "RLIMIT_RSS": unix.RLIMIT_RSS, "RLIMIT_RTPRIO": unix.RLIMIT_RTPRIO,
	"RLIMIT_RTTIME": unix.RLIMIT_RTTIME, "RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING, "RLIMIT_STACK": unix.RLIMIT_STACK,
}

// Limits sets resource limits.
func Limits(limits []specs.POSIXRlimit) (step.Step, error) {
	s := inside("process.limits", book.Cgroups, "limits that hold for a single process, older than cgroups")
	seen := make(map[string]bool)
	for _, l := range limits {
		n, ok := rlimits[l.Type]
		if !ok {
			return s, fmt.Errorf("unknown resource limit %q", l.Type)
		}
		if seen[l.Type] {
			return s, fmt.Errorf("resource limit %s is set twice", l.Type)
		}
		seen[l.Type] = true
		s.Calls = append(s.Calls, kernel.Prlimit(kernel.Named{Name: l.Type, Value: n}, l.Soft, l.Hard))
	}
	return s, nil
}

// EnterStep is the name of Enter's step.
const EnterStep = "process.enter"

// Enter goes to the working directory, as root and inside the container's root:
// links to descriptors of ours (CVE-2024-21626) or to other processes are not
// followed. With create it makes the directory where the image lacks it.
func Enter(cwd string, create bool) step.Step {
	const slot kernel.Slot = "cwd"
	s := inside(EnterStep, book.Containers, "the working directory, made where the image lacks it")
	cwd = path.Clean(cwd)
	if create {
		s.Calls = kernel.MakeInRoot(cwd, false, 0, slot)
	} else {
		s.Calls = []kernel.Call{kernel.OpenInRoot(cwd, 0, 0).Into(slot)}
	}
	s.Calls = append(s.Calls, kernel.Fchdir(kernel.FD(slot)).As("cd "+cwd))
	return s
}

// User becomes the program's user. Package capability says what this does to
// the capabilities, and what must stand around it.
func User(u specs.User) step.Step {
	return inside("process.user", book.Capabilities,
		"become the user the program runs as: groups first, for only root may set them",
		kernel.Setgroups(u.AdditionalGids), kernel.Setresgid(u.GID), kernel.Setresuid(u.UID))
}

// FollowShim makes the container die with the shim that supervises it. After
// User, for a change of credentials clears it.
func FollowShim() step.Step {
	return inside("process.follow-shim", book.Engine, "nobody would record the exit of a container whose shim is gone; better it ends with it",
		kernel.SetPdeathsig(unix.SIGKILL))
}

// Gate is the slot of the eventfd that a created container waits at.
const Gate kernel.Slot = "gate"

// MakeGate makes the eventfd for Wait. Who asks a container to end that waits
// there is heard, though it may be process 1 of its pid namespace, which heeds
// only signals that it has a handler for: these four, until execve.
func MakeGate() step.Step {
	return inside("process.gate", book.OCI, "what a created container waits for: a counter that start will raise, or a signal that ends it",
		kernel.Eventfd().Into(Gate),
		kernel.ExitOnSignal(unix.SIGHUP), kernel.ExitOnSignal(unix.SIGINT), kernel.ExitOnSignal(unix.SIGQUIT), kernel.ExitOnSignal(unix.SIGTERM))
}

// Wait is where a container stands between create and start: everything is
// made, the program does not run yet. Whoever starts it takes a copy of the
// eventfd (pidfd_getfd) and raises it: no file, so nothing to tamper with.
func Wait() step.Step {
	return inside("process.wait", book.OCI, "the OCI life cycle has create and start; in between the container waits here",
		kernel.Detach(), kernel.ReadEventfd(kernel.FD(Gate)))
}

// Tidy closes everything but the standard descriptors and keep more, and sets
// the mask for new files. It does not leave that to execve: the container of an
// OCI create may stand for days before that, with directories of the host in
// its hands (CVE-2024-21626).
func Tidy(p *specs.Process, keep int) step.Step {
	umask := uint32(0o022)
	if p.User.Umask != nil {
		umask = *p.User.Umask
	}
	return inside("process.tidy", book.Engine, "no descriptor of ours reaches the program, whoever opened it",
		append(kernel.CloseRest(3+keep), kernel.Umask(umask))...)
}

// Exec becomes the program.
func Exec(p *specs.Process) (step.Step, error) {
	if len(p.Args) == 0 || p.Args[0] == "" {
		return step.Step{}, fmt.Errorf("no command given, and the image has none")
	}
	var calls []kernel.Call
	for _, candidate := range candidates(p.Args[0], p.Env) {
		calls = append(calls, kernel.Execve(candidate, p.Args, p.Env).As("exec "+strings.Join(p.Args, " ")))
	}
	return inside("process.exec", book.Engine, "replace this process by the program; its pid stays: it is process 1 of the container", calls...), nil
}

// candidates are the files that execvp(3) would try: name itself if it has a
// slash, else name in each directory of the container's PATH.
func candidates(name string, env []string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	search := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			search = v
		}
	}
	var list []string
	for _, dir := range strings.Split(search, ":") {
		if dir == "" {
			dir = "."
		}
		if c := dir + "/" + name; !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}
