package kernel

import (
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Call is one system call as data: which call, with which arguments, and what
// is to become of its result. It is built without touching the kernel, so a
// list of calls can be printed, checked, run by this process ([Host.Do]) or by
// a freshly cloned one ([Spawn]).
//
// Build calls with the constructors of this package (Mount, PivotRoot, …):
// they carry the system call's own name and argument order.
type Call struct {
	Name string  // the system call's name, "mount"
	Nr   uintptr // its SYS_* number on this architecture
	Args []Arg   // at most six, in the kernel's order

	// Save names the slot that keeps the return value, for a later call's
	// FD or Word argument. Empty: the value is only recorded.
	Save Slot

	// When makes the call conditional on an earlier one; the zero value
	// always runs.
	When Guard
	Also Guard // a second condition; both must hold

	// Allow lists errors that are as good as success here, such as EEXIST
	// of mkdir. The recorder keeps them all the same.
	Allow []syscall.Errno

	// About says what a descriptor among the arguments stands for, where an
	// error should name it.
	About string

	// Shell is the command a student would type for the same effect; empty
	// for calls that only prepare another one.
	Shell string

	kind kind
}

// Slot names the result of a call so that a later call can use it: "rootfs"
// for the file descriptor of the new root, say.
type Slot string

// Guard makes a call depend on how an earlier one ended.
type Guard struct {
	Slot   Slot // slot whose call is asked about; empty means: always run
	Failed bool // run only if that call failed (or never ran) instead of succeeded
}

// IfOK runs c only when the call that saved s succeeded.
func (c Call) IfOK(s Slot) Call { c.When = Guard{Slot: s}; return c }

// IfFailed runs c only when the call that saved s failed with an allowed error.
func (c Call) IfFailed(s Slot) Call { c.When = Guard{Slot: s, Failed: true}; return c }

// AndOK adds to a condition that the call that saved s succeeded as well.
func (c Call) AndOK(s Slot) Call { c.Also = Guard{Slot: s}; return c }

// AndFailed adds to a condition that the call that saved s failed, or never ran.
func (c Call) AndFailed(s Slot) Call { c.Also = Guard{Slot: s, Failed: true}; return c }

// Into saves the result of c in slot s.
func (c Call) Into(s Slot) Call { c.Save = s; return c }

// Allowing accepts these errors from c as well as success.
func (c Call) Allowing(e ...syscall.Errno) Call {
	c.Allow = append(append([]syscall.Errno(nil), c.Allow...), e...)
	return c
}

// For notes what the descriptor that c works on stands for.
func (c Call) For(object string) Call { c.About = object; return c }

// As notes the shell command that does what c does.
func (c Call) As(shell string) Call { c.Shell = shell; return c }

// kind tells the interpreter what to do beyond calling and recording.
type kind uint8

const (
	plain  kind = iota
	ack         // a netlink reply was read: its error field is the result
	exec        // does not return when it succeeds
	fork        // returns twice: zero in the process that goes on
	tell        // writes one byte to the parent
	await       // reads one byte from the parent; end of file is an error
	wakeup      // reads the parent's verdict like await, only used to pause
	detach      // like tell, and the parent follows the child no further
)

// String prints the call the way strace(1) does, without its result. Results
// of earlier calls, unknown before they ran, stand as <slot>.
func (c Call) String() string { return c.format(nil) }

func (c Call) format(slots map[Slot]uintptr) string {
	var b strings.Builder
	b.WriteString(c.Name)
	b.WriteByte('(')
	for i, a := range c.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.text(slots))
	}
	b.WriteByte(')')
	return b.String()
}

// Result is what the kernel answered to one call.
type Result struct {
	Ret   uintptr       // return value when Errno is zero
	Errno syscall.Errno // zero on success
	Start int64         // CLOCK_MONOTONIC in nanoseconds
	End   int64         // likewise; zero while the call has not returned
	State State
}

// State says how far a call of a spawned process came.
type State uint32

// The states of a recorded call.
const (
	Pending State = iota // not reached
	Skipped              // its guard said no
	Entered              // entered the kernel and has not returned (execve that succeeded stays here)
	Done                 // returned
)

// OK reports whether the call returned without an error.
func (r Result) OK() bool { return r.State == Done && r.Errno == 0 }

// String prints the result the way strace does: "3", "-1 EPERM (Operation not
// permitted)", or "?" for a call that never returned.
func (r Result) String() string {
	switch {
	case r.State == Skipped:
		return "(skipped)"
	case r.State != Done:
		return "?"
	case r.Errno != 0:
		return "-1 " + unix.ErrnoName(r.Errno) + " (" + errnoText(r.Errno) + ")"
	}
	return formatRet(r.Ret)
}

// Allowed reports whether errno e is one that c accepts.
func (c Call) Allowed(e syscall.Errno) bool {
	for _, a := range c.Allow {
		if a == e {
			return true
		}
	}
	return false
}

// ofThread are the calls whose effect is on the calling thread alone, where one
// would think of the process.
var ofThread = []string{"setns", "unshare", "setfsuid", "setfsgid"}

// OfThread reports whether the call changes the thread that makes it, so that
// calls after it have to be made by the same one.
func (c Call) OfThread() bool { return slices.Contains(ofThread, c.Name) }

// IsExec reports whether the call replaces the program and so never returns.
func (c Call) IsExec() bool { return c.kind == exec }

// Tells reports whether the call sends the parent a byte it must read.
func (c Call) Tells() bool { return c.kind == tell || c.kind == detach }

// Awaits reports whether the call waits for a byte from the parent.
func (c Call) Awaits() bool { return c.kind == await || c.kind == wakeup }

// Detaches reports whether the parent stops following the child after it.
func (c Call) Detaches() bool { return c.kind == detach }
