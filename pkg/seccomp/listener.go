package seccomp

import (
	"errors"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// A profile may leave calls to a listener (SCMP_ACT_NOTIFY): a process of the
// host that looks at each, does what it likes, and says how the call is to end
// (seccomp_unotify(2)). So a container can be given one mknod or mount that
// its rights do not allow. The kernel's half is a descriptor that loading the
// filter returns; whoever holds it is the listener.
//
// The descriptor is born in the container's process and has to get out before
// the first call waits for an answer. So the process says that it is there
// (Load), we copy it and hand it to the agent (HandOver), and only then the
// process goes on (Entrust). What it calls from here on may be the agent's
// business already, even the read in which it waits for us: the agent answers.

// Agent is who listens: linux.seccomp.listenerPath of the configuration, and
// what it is told.
type Agent struct {
	Socket string      // path of a unix socket; a first @ means an abstract name
	State  kernel.Path // the specification's container process state, as JSON
}

const (
	listener kernel.Slot = "seccomp-listener" // in the process that loaded the filter
	pidfd    kernel.Slot = "seccomp-process"
	fd       kernel.Slot = "seccomp-fd" // our copy of the listener
	agent    kernel.Slot = "seccomp-agent"
)

// HandOver gives the listener of the process in slot step.PID to the agent. It
// comes right after Load.
func HandOver(a Agent) step.Step {
	return step.Step{
		Name: "seccomp.hand-over", Topic: book.Seccomp, Side: step.Host,
		Why: "The profile leaves some calls to a process of the host; the descriptor that they arrive at goes there, with word of whose it is.",
		Calls: []kernel.Call{
			kernel.PidfdOpen(kernel.FD(step.PID)).Into(pidfd),
			kernel.PidfdGetfd(kernel.FD(pidfd), kernel.FD(listener)).Into(fd),
			kernel.Close(kernel.FD(pidfd)),
			kernel.UnixSocket().Into(agent),
			kernel.ConnectUnix(kernel.FD(agent), a.Socket),
			kernel.SendFD(kernel.FD(agent), a.State, fd),
			kernel.Close(kernel.FD(agent)),
			// While we hold a copy, the agent's end is no end of the listener, and calls wait for ever.
			kernel.Close(kernel.FD(fd)),
		},
		Rule: "descriptors close with the last process that holds them",
	}
}

// Entrust has the process wait until the agent has its listener, and drop its
// own copy: when the agent goes, calls are to fail (ENOSYS) and not to wait.
func Entrust() step.Step {
	return step.Step{
		Name: "seccomp.entrust", Topic: book.Seccomp, Side: step.Inside,
		Why: "From here on the agent may be asked about every call; it must have the listener before.",
		Calls: []kernel.Call{
			kernel.Await(),
			// If the profile forbids close, execve closes it.
			kernel.Close(kernel.FD(listener)).Allowing(unix.EPERM, unix.EACCES, unix.ENOSYS),
		},
		Rule: "descriptors close with the last process that holds them",
	}
}

// checkListener says what a profile with or without a listener must have.
func checkListener(profile *specs.LinuxSeccomp, listens bool) error {
	switch {
	case listens && profile.ListenerPath == "":
		return errors.New("a rule says SCMP_ACT_NOTIFY and listenerPath says nobody to notify")
	case profile.ListenerPath == "" && profile.ListenerMetadata != "":
		return errors.New("listenerMetadata without a listenerPath: nobody would be told it")
	}
	return nil
}
