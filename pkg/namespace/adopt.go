package namespace

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"minictr/pkg/book"
	"minictr/pkg/kernel"
	"minictr/pkg/step"
)

// A namespace belongs to the user namespace of who made it, and only root there
// may mount in it, name it or give it addresses. So a container that joins the
// user namespace of another one has to be in there before it makes its other
// namespaces: a first process goes in, and a second one is born there.

// Adopts reports whether the set joins a user namespace and makes others.
func (s Set) Adopts() bool { return s.Joins(unix.CLONE_NEWUSER) }

// Adopt comes in a process that a Clone without any namespace has made, when it
// has no more need of the host's rights. It joins all that is to be joined, the
// user namespace last: the others may belong to somebody else, whom only the
// host's root can overrule. Then it makes its successor. The host hears of its
// pid.
func Adopt(s Set, offsets map[string]specs.LinuxTimeOffset) (step.Step, error) {
	var open, join, user []kernel.Call
	for _, j := range s.Join {
		calls := j.calls()
		open = append(open, calls[0])
		if j.Flag == unix.CLONE_NEWUSER {
			user = calls[1:]
		} else {
			join = append(join, calls[1:]...)
		}
	}
	calls := append(append(open, join...), user...)
	if s.Has(unix.CLONE_NEWTIME) {
		text, err := offsetText(offsets)
		if err != nil {
			return step.Step{}, err
		}
		before := []kernel.Call{kernel.Unshare(unix.CLONE_NEWTIME).As("unshare --time")}
		if len(offsets) > 0 {
			before = append(before, kernel.WriteFile("/proc/self/timens_offsets", text)...)
		}
		calls = append(before, calls...)
	}
	calls = append(calls, become(0)...)
	calls = append(calls, kernel.Setgroups(nil).Allowing(unix.EPERM)) // a user namespace may forbid it, and then keeps ours
	flags := s.New &^ unix.CLONE_NEWTIME
	calls = append(calls,
		kernel.CloneAgain(kernel.CloneArgs{Flags: flags | unix.CLONE_PARENT | unix.CLONE_CLEAR_SIGHAND}).Into(step.PID).As(unshareCommand(flags)),
		kernel.Tell())
	return step.Step{
		Name: "namespace.adopt", Topic: book.Namespaces, Side: step.Inside, Calls: calls,
		Why:  "share the users of another container: who makes the other namespaces must be root there, or may not use them",
		Rule: "namespaces vanish with their last process",
	}, nil
}
